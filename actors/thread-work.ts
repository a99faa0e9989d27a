/** What a host says of an action whose work is done in a thread: checked, with its defaults. */
import { isObject, shown, unknownKey } from '../machines/option-keys.ts';

/** No longer than the end of an attempt is waited for. */
const LONGEST_KILL_MS = 10_000;
const DEFAULT_KILL_MS = 1_000;
const LONGEST_MS = 2 ** 31 - 1;

/** Where the work of an action is, and how its thread is watched. */
export interface ThreadWork {
  /** The file, relative to `threads.root`, such as `./hash.mjs`; or a package of `threads.packages`. */
  readonly module: string;
  /** The name of the function: `(input, context) => value`. Default: `default`. */
  readonly export?: string;
  /** A call that is silent for longer, ms, has ended (HEARTBEAT_MISSED); `heartbeat()` and `progress()` break the silence. Default: no limit. */
  readonly heartbeatMs?: number;
  /** From the abort of its signal to the end of its thread, ms, at most 10,000. Default: 1,000. */
  readonly killAfterMs?: number;
}

/** {@link ThreadWork} with its defaults. */
export interface ThreadCall {
  readonly module: string;
  readonly export: string;
  readonly heartbeatMs: number | undefined;
  readonly killAfterMs: number;
}

const WORK: readonly string[] = ['module', 'export', 'heartbeatMs', 'killAfterMs'] satisfies (keyof ThreadWork)[];

/** What was said, with its defaults. */
export function threadCall({
  module,
  export: name = 'default',
  heartbeatMs,
  killAfterMs = DEFAULT_KILL_MS,
}: ThreadWork): ThreadCall {
  return { module, export: name, heartbeatMs, killAfterMs };
}

/** What is wrong with the `thread` of a definition. */
export function wrongThread(thread: unknown): string | undefined {
  if (thread === undefined) return undefined;
  if (!isObject(thread)) return `thread must be an object with ${WORK.join(', ')}, got ${shown(thread)}`;
  const { module, export: name, heartbeatMs, killAfterMs } = thread;
  const wrong =
    unknownKey(thread, WORK) ??
    (module === undefined ? 'module must be the path of a file, got undefined' : wrongText('module', module)) ??
    wrongText('export', name) ??
    wrongNumber('heartbeatMs', heartbeatMs, 1, LONGEST_MS) ??
    wrongNumber('killAfterMs', killAfterMs, 0, LONGEST_KILL_MS);
  return wrong && `thread: ${wrong}`;
}

export function wrongText(what: string, value: unknown): string | undefined {
  return value === undefined || (typeof value === 'string' && value !== '')
    ? undefined
    : `${what} must be a text, got ${shown(value)}`;
}

export function wrongNumber(what: string, value: unknown, least: number, most: number): string | undefined {
  if (value === undefined || (Number.isInteger(value) && (value as number) >= least && (value as number) <= most))
    return undefined;
  return `${what} must be a whole number from ${least} to ${most}, got ${shown(value)}`;
}
