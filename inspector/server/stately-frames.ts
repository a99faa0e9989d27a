/** The frames of Stately's protocol (@statelyai/inspect 0.7), which has no hello, no answer and no numbers. */
import type { ActorDetail } from '../protocol.ts';
import { PACKAGE_VERSION } from './version.ts';

interface FrameBase {
  readonly sessionId: string;
  readonly rootId: string | undefined;
  /** ms since 1970, as text. */
  readonly createdAt: string;
  readonly id: null;
  readonly _version: string;
}

export type StatelyFrame =
  | (FrameBase & {
      readonly type: '@xstate.actor';
      readonly name: string;
      /** The config of its machine, as JSON in a text. */
      readonly definition: string;
      readonly parentId: string | undefined;
      readonly snapshot: unknown;
    })
  | (FrameBase & { readonly type: '@xstate.event'; readonly event: unknown; readonly sourceId: string | undefined })
  | (FrameBase & { readonly type: '@xstate.snapshot'; readonly event: unknown; readonly snapshot: unknown });

/** What all frames of an actor have. Its session is its id, which is the same after a restart. */
export function frameOf(sessionId: string, rootId: string, at: number): FrameBase {
  return { sessionId, rootId, createdAt: String(at), id: null, _version: PACKAGE_VERSION };
}

/** A snapshot as XState would have it, of what is known of an actor. */
export function snapshotOf(detail: ActorDetail): object {
  const { status, context, value, tags, output, error } = detail;
  return {
    status,
    context: context ?? {},
    ...(value === null ? {} : { value }),
    tags,
    historyValue: {},
    children: {},
    ...(output === undefined || output === null ? {} : { output }),
    ...(error === undefined || error === null ? {} : { error }),
  };
}

/** A frame that came from a client, as far as it could be understood. */
export interface ClientFrame {
  readonly type: StatelyFrame['type'];
  readonly sessionId: string;
  readonly name: string | undefined;
  readonly definition: string | undefined;
  readonly parentId: string | undefined;
  readonly sourceId: string | undefined;
  readonly event: { readonly type: string } | undefined;
  readonly snapshot: Readonly<Record<string, unknown>> | undefined;
}

const TYPES: ReadonlySet<unknown> = new Set(['@xstate.actor', '@xstate.event', '@xstate.snapshot']);
const LONGEST_ID = 1_000;

/** What a text says; undefined when it is no frame of the protocol. */
export function parseFrame(text: string): ClientFrame | undefined {
  const given = parsed(text);
  if (!isRecord(given)) return undefined;
  const { type, sessionId, name, definition, parentId, sourceId, event, snapshot } = given;
  if (!TYPES.has(type) || !isId(sessionId)) return undefined;
  return {
    type: type as StatelyFrame['type'],
    sessionId,
    name: isId(name) ? name : undefined,
    definition: typeof definition === 'string' ? definition : undefined,
    parentId: isId(parentId) ? parentId : undefined,
    sourceId: isId(sourceId) ? sourceId : undefined,
    event: isRecord(event) && typeof event['type'] === 'string' ? (event as { type: string }) : undefined,
    snapshot: isRecord(snapshot) ? snapshot : undefined,
  };
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function isId(value: unknown): value is string {
  return typeof value === 'string' && value.length > 0 && value.length <= LONGEST_ID;
}
