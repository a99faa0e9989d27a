/** What is done to a machine under check: steps as data, the walks made of them, and their words. */
import type * as FastCheck from 'fast-check';
import type { AnyEventObject } from '../persistence/xstate-port.ts';
import { show } from './difference.ts';

/** One step of a walk. */
export type Step =
  | { readonly kind: 'send'; readonly event: AnyEventObject }
  | { readonly kind: 'advance'; readonly ms: number }
  /** The process dies, and is started again after a while. */
  | { readonly kind: 'crash'; readonly awayMs: number }
  /** It dies with an event that is in no commit yet; the client sends it again. */
  | { readonly kind: 'sendLost'; readonly event: AnyEventObject }
  /** It dies when the event is committed and its answer is not sent yet; the client sends it again. */
  | { readonly kind: 'sendUnanswered'; readonly event: AnyEventObject };

/** What walks are made of. */
export interface WalkOptions {
  readonly event: FastCheck.Arbitrary<AnyEventObject>;
  readonly delays: readonly number[];
  readonly commands: number;
}

const CRASH: Step = { kind: 'crash', awayMs: 0 };

/** Random walks; in one of three the process dies after every step, so that every state is restored. */
export function walks(fc: typeof FastCheck, { event, delays, commands }: WalkOptions): FastCheck.Arbitrary<Step[]> {
  const moves = [...new Set(delays.flatMap((ms) => [ms, ms - 1, Math.ceil(ms / 2)]))].filter((ms) => ms > 0);
  const ms = fc.constantFrom(...moves.sort((a, b) => a - b));
  const step = fc.oneof(
    { weight: 6, arbitrary: event.map((sent): Step => ({ kind: 'send', event: sent })) },
    { weight: 3, arbitrary: ms.map((by): Step => ({ kind: 'advance', ms: by })) },
    { weight: 2, arbitrary: fc.constant(CRASH) },
    { weight: 1, arbitrary: ms.map((awayMs): Step => ({ kind: 'crash', awayMs })) },
    { weight: 1, arbitrary: event.map((sent): Step => ({ kind: 'sendLost', event: sent })) },
    { weight: 1, arbitrary: event.map((sent): Step => ({ kind: 'sendUnanswered', event: sent })) },
  );
  const steps = fc.array(step, { minLength: 1, maxLength: commands, size: 'max' });
  const always = fc.integer({ min: 0, max: 2 });
  return fc.tuple(always, steps).map(([crashes, walk]) => (crashes === 2 ? walk.flatMap((one) => [one, CRASH]) : walk));
}

/** The shortest walks that show a bug of each kind: what keeps state outside of the machine can be seen only once. */
export function firstWalks(events: readonly AnyEventObject[], delays: readonly number[]): Step[][] {
  const sends = events.map((event): Step => ({ kind: 'send', event }));
  const longest: Step = { kind: 'advance', ms: Math.max(...delays) };
  return [[CRASH], ...sends.map((send) => [send]), ...sends.map((send) => [send, CRASH, send, CRASH, longest])];
}

/** Walks that are simpler by one step, the simplest first. */
export function simpler(steps: readonly Step[], delays: readonly number[]): Step[][] {
  const shorter = steps.map((_, index) => steps.toSpliced(index, 1));
  const sooner = steps.flatMap((step, index) => {
    if (step.kind !== 'advance') return [];
    return delays.filter((ms) => ms < step.ms).map((ms) => steps.with(index, { kind: 'advance', ms }));
  });
  return [...shorter, ...sooner].filter((walk) => walk.length > 0);
}

/** A step as a sentence of a bug report. */
export function inWords(step: Step): string {
  switch (step.kind) {
    case 'send':
      return `send ${eventInWords(step.event)}`;
    case 'advance':
      return `advance ${step.ms} ms`;
    case 'crash':
      return step.awayMs === 0 ? 'crash' : `crash, stay away for ${step.awayMs} ms`;
    case 'sendLost':
      return `send ${eventInWords(step.event)}, crash before its commit, send it again`;
    case 'sendUnanswered':
      return `send ${eventInWords(step.event)}, crash before its answer, send it again`;
  }
}

function eventInWords({ type, ...payload }: AnyEventObject): string {
  return Object.keys(payload).length === 0 ? type : `${type} ${show(payload)}`;
}
