/**
 * What the clients of the kill tests send: a script per client, made from a seed, and what must be in the store once a
 * client's first `n` events are committed. Pure, so that the killed process and its judge agree.
 */

/** Kinds of work, each with its own way to get lost. */
export type Op =
  | { readonly type: 'note' }
  | { readonly type: 'kid.spawn'; readonly kid: string; readonly ages: boolean }
  | { readonly type: 'kid.poke'; readonly kid: string }
  | { readonly type: 'kid.stop'; readonly kid: string }
  | {
      readonly type: 'alarm.set';
      readonly alarm: string;
      readonly by: 'sendTo' | 'raise';
      readonly kid: string;
      readonly delayMs: number;
    }
  | { readonly type: 'alarm.cancel'; readonly alarm: string }
  | { readonly type: 'work.start'; readonly work: string };

export type ClientEvent = Op & { readonly client: string; readonly n: number };

export interface Workload {
  readonly seed: number;
  readonly clients: number;
  readonly events: number;
}

/** A small, good enough generator (mulberry32): the same numbers from the same seed, everywhere. */
export function randomOf(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}

export function clientsOf({ clients }: Workload): string[] {
  return Array.from({ length: clients }, (_, index) => `c${index}`);
}

/** A delay that no test waits for: the alarm is to be cancelled. */
const NEVER_MS = 3_600_000;

/** The events of one client, in order, numbered from 1. The first makes its anchor, a child that always lives. */
export function scriptOf(workload: Workload, client: string): ClientEvent[] {
  const random = randomOf(workload.seed * 7_919 + Number(client.slice(1)));
  const anchor = `${client}.anchor`;
  const events: ClientEvent[] = [];
  const living: string[] = [];
  const cancellable: string[] = [];
  const pick = (from: string[]) => from[Math.floor(random() * from.length)] as string;
  const take = (from: string[]) => from.splice(Math.floor(random() * from.length), 1)[0] as string;
  const next = (n: number): Op => {
    if (n === 1) return { type: 'kid.spawn', kid: anchor, ages: false };
    const dice = random();
    if (dice < 0.12) {
      const ages = random() < 0.5;
      const kid = `${client}.${ages ? 'aging' : 'kid'}${n}`;
      if (!ages) living.push(kid);
      return { type: 'kid.spawn', kid, ages };
    }
    if (dice < 0.27 && living.length > 0) return { type: 'kid.poke', kid: pick(living) };
    if (dice < 0.35 && living.length > 0) return { type: 'kid.stop', kid: take(living) };
    if (dice < 0.4 && cancellable.length > 0) return { type: 'alarm.cancel', alarm: take(cancellable) };
    if (dice < 0.75) {
      const alarm = `${client}.alarm${n}`;
      const never = random() < 0.2;
      if (never) cancellable.push(alarm);
      const delayMs = never ? NEVER_MS : Math.floor(random() * random() * 300);
      return { type: 'alarm.set', alarm, by: random() < 0.5 ? 'sendTo' : 'raise', kid: anchor, delayMs };
    }
    if (dice < 0.88) return { type: 'work.start', work: `${client}.work${n}` };
    return { type: 'note' };
  };
  for (let n = 1; n <= workload.events; n++) events.push({ ...next(n), client, n });
  // Whoever is left is told to end, so that a finished run has nothing waiting.
  for (const alarm of cancellable) events.push({ type: 'alarm.cancel', alarm, client, n: events.length + 1 });
  return events;
}

/** What a store must hold when the first events of every client are committed. */
export interface Expected {
  /** Children that were not stopped, with how often each was poked. */
  readonly kids: Map<string, number>;
  readonly aging: Set<string>;
  readonly alarms: Set<string>;
  readonly never: Set<string>;
  readonly cancelled: number;
  readonly works: Set<string>;
  readonly pokes: number;
}

export function expectedAfter(workload: Workload, committed: Readonly<Record<string, number>>): Expected {
  const kids = new Map<string, number>();
  const [aging, alarms, never, works] = [new Set<string>(), new Set<string>(), new Set<string>(), new Set<string>()];
  let cancelled = 0;
  let pokes = 0;
  for (const client of clientsOf(workload)) {
    for (const op of scriptOf(workload, client).slice(0, committed[client] ?? 0)) {
      if (op.type === 'kid.spawn' && op.ages) aging.add(op.kid);
      else if (op.type === 'kid.spawn') kids.set(op.kid, 0);
      else if (op.type === 'kid.poke') {
        pokes += 1;
        kids.set(op.kid, (kids.get(op.kid) ?? Number.NaN) + 1);
      } else if (op.type === 'kid.stop') kids.delete(op.kid);
      else if (op.type === 'alarm.set') (op.delayMs === NEVER_MS ? never : alarms).add(op.alarm);
      else if (op.type === 'alarm.cancel') cancelled += Number(never.delete(op.alarm));
      else if (op.type === 'work.start') works.add(op.work);
    }
  }
  return { kids, aging, alarms, never, cancelled, works, pokes };
}
