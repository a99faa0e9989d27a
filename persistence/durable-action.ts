/**
 * Actions that are more than a change of state: durable ones, which are run outside after the commit, at least once;
 * transactional ones, which write rows of the host's own in the commit, exactly once; and events for other trees.
 */
import type { AnyActorRef, AnyEventObject } from 'xstate';
import type { Rows } from './rows.ts';
import { DEFAULT_RETRY, type OutboxRetry } from './outbox.ts';
import { PerdureError } from '../errors.ts';
import { actionsOf, treeOf, type Logic } from './xstate-port.ts';

/** What a durable action is given beside its params. */
export interface DurableActionContext {
  /** Stable over all attempts and restarts, and unique: for the other side to tell a repeat. */
  readonly key: string;
  /** 1 for the first. It is counted on disk before it begins; one that a close cut off is not counted. */
  readonly attempt: number;
  /** Aborted when the tree is closed. */
  readonly signal: AbortSignal;
}

/** What runs a durable action, and how often it is tried. */
export interface DurableActionHandler {
  readonly run: (params: never, context: DurableActionContext) => unknown;
  readonly retry: OutboxRetry;
  readonly onRestore: 'ask' | 'run';
}

/** Options of {@link durableAction}. */
export interface DurableActionOptions<TParams> {
  /** The name under which it is stored: it must not change while rows of that name wait. */
  readonly name: string;
  /**
   * Runs after the commit, at least once, in the order of its actor. A throw is tried again unless it says
   * `retryable: false`; one that does not settle holds up those behind it, so give it a time limit.
   */
  readonly run: (params: TParams, context: DurableActionContext) => unknown;
  /** Default: 8 attempts, 200 ms doubled up to 60 s. */
  readonly retry?: Partial<OutboxRetry>;
  /**
   * What becomes of one that waited at a turn to which its tree is taken back, and may have been done since: it is a dead
   * letter, which {@link Store.retry} runs, or it runs again by itself, under another key. Default: `ask`.
   */
  readonly onRestore?: 'ask' | 'run';
}

interface ActionArgs {
  readonly self: AnyActorRef;
}

/** An action that XState runs in a turn. */
export type TurnAction<TParams> = (args: ActionArgs, params: TParams) => void;

const HANDLER = Symbol('perdure.durableAction');

/**
 * An action for `setup({ actions })` that is run outside, at least once, after the commit of the turn that wanted it. Its
 * params are stored in that turn. After the last attempt it is a dead letter: {@link Store.deadLetters}.
 *
 * @example
 * setup({ actions: { mail: durableAction({ name: 'mail', run: ({ to }, { key }) => send(to, { idempotencyKey: key }) }) } })
 *   .createMachine({ on: { ordered: { actions: { type: 'mail', params: { to: 'a@example.org' } } } } });
 */
export function durableAction<TParams = undefined>(options: DurableActionOptions<TParams>): TurnAction<TParams> {
  const { name, run, retry, onRestore = 'ask' } = options;
  const action = ({ self }: ActionArgs, params: TParams) => treeOf(self).enqueue(self, 'action', name, params);
  const handler: DurableActionHandler = {
    run: run as DurableActionHandler['run'],
    retry: { ...DEFAULT_RETRY, ...retry },
    onRestore,
  };
  return Object.assign(action, { [HANDLER]: { name, handler } });
}

const known = new WeakMap<Logic, ReadonlyMap<string, DurableActionHandler>>();

/** The durable actions that a logic, or one of its children's, declares. Throws OPTIONS_INVALID when two share a name. */
export function durableActionsOf(logic: Logic): ReadonlyMap<string, DurableActionHandler> {
  const found = known.get(logic);
  if (found !== undefined) return found;
  const handlers = new Map<string, DurableActionHandler>();
  for (const action of actionsOf(logic)) {
    const marked = (action as { [HANDLER]?: { name: string; handler: DurableActionHandler } })[HANDLER];
    if (marked === undefined) continue;
    const { name, handler } = marked;
    if ((handlers.get(name) ?? handler) !== handler) {
      throw new PerdureError(
        'OPTIONS_INVALID',
        `Two durable actions are named "${name}": give one of them another name.`,
        {
          facts: { name },
        },
      );
    }
    handlers.set(name, handler);
  }
  known.set(logic, handlers);
  return handlers;
}

/**
 * An action that writes rows of the host's own tables in the transaction of its turn: exactly once, with the state. What it
 * throws is the actor's error, and its rows are undone.
 *
 * @example
 * const book = transactional((rows, { amount }: { amount: number }) => {
 *   rows.run('insert into ledger(amount) values (?)', amount);
 * });
 */
export function transactional<TParams = undefined>(
  write: (
    rows: Rows,
    params: TParams,
    args: { readonly self: AnyActorRef; readonly context: never; readonly event: never },
  ) => void,
): TurnAction<TParams> {
  return (args, params) => write(treeOf(args.self).rows, params, args as never);
}

/** Where {@link sendToTree} sends, and what. */
export interface TreeMessage {
  /** The id of a tree of the same store. */
  readonly tree: string;
  readonly event: AnyEventObject;
  /** A systemId or a path in it. Default: its root. */
  readonly to?: string;
}

/**
 * An action that sends an event to another tree of the same store: stored with the sender's turn, applied once, in order;
 * a tree that is closed is opened for it. An event to a tree that does not exist is a dead letter.
 *
 * @example
 * setup({ actions: { bill: sendToTree(({ context }) => ({ tree: context.invoice, event: { type: 'order.placed' } })) } })
 */
export function sendToTree<TParams = undefined>(
  message:
    | TreeMessage
    | ((
        args: { readonly self: AnyActorRef; readonly context: never; readonly event: never },
        params: TParams,
      ) => TreeMessage),
): TurnAction<TParams> {
  return (args, params) => {
    const { tree, event, to } = typeof message === 'function' ? message(args as never, params) : message;
    treeOf(args.self).enqueue(args.self, 'event', tree, to === undefined ? { event } : { event, to });
  };
}
