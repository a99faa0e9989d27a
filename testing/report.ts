/** A broken law as a bug report: what was done, what was expected, what came, why probably, and how to see it again. */
import { PerdureError } from '../errors.ts';
import type { Use } from './outside.ts';
import type { Breach, Law } from './trial.ts';
import { inWords } from './walk.ts';

/** What was found out about a breach by doing its walk again. */
export interface Diagnosis {
  /** The same steps break a law without any crash. */
  readonly withoutCrash: boolean;
  /** The same steps, done again in the same process, break nothing. */
  readonly onlyOnce: boolean;
  /** What the turns used of the outside. */
  readonly used: ReadonlySet<Use>;
}

/** How to see it again. */
export interface Replay {
  readonly seed: number;
  readonly path: string;
}

const LAWS: Readonly<Record<Law, string>> = {
  restore: 'a restart must be invisible: what comes after it is what would have come without it',
  storable: 'what is stored must come back as it was',
  crash: 'a crash must lose nothing that was acknowledged, and do nothing twice, too early or too late',
  repeatable:
    'the same steps must give the same results, or a run that crashed cannot be compared with one that did not',
};

interface Cause {
  readonly cause: string;
  readonly remedy: string;
}

/** The error that {@link checkDurable} rejects with. */
export function notDurable(machine: string, breach: Breach, diagnosis: Diagnosis, replay: Replay): PerdureError {
  const steps = breach.steps.map(inWords);
  const cause = causeOf(breach, diagnosis);
  const lines = [
    `The machine "${machine}" is not durable.`,
    `Law: ${LAWS[breach.law]}.`,
    `Steps: ${steps.length === 0 ? 'none, it is so from the start' : steps.join(', ')}.`,
    ...toldOf(breach),
    ...(cause === undefined ? [] : [`Likely cause: ${cause.cause}.`, `Remedy: ${cause.remedy}.`]),
    `Replay: checkDurable(machine, { ..., seed: ${replay.seed}, path: '${replay.path}' })`,
  ];
  const { law, differences, said } = breach;
  return new PerdureError('NOT_DURABLE', lines.join('\n'), {
    facts: { law, machine, steps: breach.steps, inWords: steps, differences, said, ...cause, ...replay },
  });
}

function toldOf({ law, about, said, differences, guardReads }: Breach): string[] {
  if (said !== undefined) return [`Came: ${said}`];
  if (guardReads !== undefined) {
    return ['Came: a guard gave two answers for one state and one event, asked twice before the last step.'];
  }
  const whose = about === undefined ? '' : ` in ${about.actor}`;
  const [expected, came] =
    about?.kind === 'in-place'
      ? ['as it was stored', 'as it is now']
      : about?.kind === 'round-trip'
        ? ['what went in', 'what came back']
        : law === 'repeatable'
          ? ['in one run', 'in another run of the same steps']
          : ['without the crash', 'with it'];
  return [
    `Expected (${expected}), and what came (${came})${whose}:`,
    ...differences.map(({ path, expected: e, actual: a }) => `  ${path}: ${e} -> ${a}`),
  ];
}

const CONTEXT = 'keep it in the context, by assign, or in an actor of its own';

function causeOf(breach: Breach, { withoutCrash, onlyOnce, used }: Diagnosis): Cause | undefined {
  const { about, said, law, failed, differences, guardReads } = breach;
  // The runtime's own message says what to do.
  if (law === 'storable' && said !== undefined) return undefined;
  if (about !== undefined) return causeOfSpoiled(about.kind);
  if (guardReads !== undefined) return causeOfGuard(guardReads);
  if (law === 'repeatable' || withoutCrash || onlyOnce) {
    return {
      cause:
        'the machine keeps state outside of its context, such as a module variable or a closure, which its other actors ' +
        'share and a restart loses; or an action, guard or promise takes its values from outside',
      remedy: `${CONTEXT}; give promise actors a fixed answer for the check with machine.provide({ actors })`,
    };
  }
  if (used.has('setTimeout')) {
    return {
      cause: 'an action waits with setTimeout, which ends with the process',
      remedy: 'use `after`, or raise or sendTo with a delay: those are stored',
    };
  }
  if (failed) {
    return {
      cause:
        'an action needs something that an entry action made and kept outside of the context; after a restart entry ' +
        'actions do not run again',
      remedy: 'hold it in an invoked callback actor, which starts again after a restart, or make it where it is used',
    };
  }
  const last = breach.steps.at(-1);
  const onRestart = last?.kind === 'crash' && last.awayMs === 0;
  if (onRestart || differences.every(({ path }) => path.startsWith('heard.'))) {
    return {
      cause: 'a promise, callback or observable actor runs again after a restart, and what it tells differs or repeats',
      remedy: 'let the machine ignore the repeat, or give the actor a fixed answer with machine.provide({ actors })',
    };
  }
  return {
    cause:
      'the machine keeps state outside of its context, such as a module variable or a closure, or expects entry actions to ' +
      'run again after a restart',
    remedy: CONTEXT,
  };
}

function causeOfSpoiled(kind: 'round-trip' | 'in-place'): Cause {
  if (kind === 'round-trip') {
    return {
      cause: 'the value is of a class of its own, or has parts that are not data',
      remedy: 'keep plain data: objects, arrays, Map, Set, Date, Error and the like, and no subclass of them',
    };
  }
  return {
    cause: 'an action changes the context in place, which XState does not notice, so that it may never be stored',
    remedy: 'return a new value from assign: [...items, item] and not items.push(item)',
  };
}

function causeOfGuard(reads: readonly Use[]): Cause {
  if (reads.length === 0) {
    return { cause: 'a guard reads or writes a variable outside of the context', remedy: CONTEXT };
  }
  return {
    cause: `a guard reads ${reads.join(' and ')}, so that it may decide otherwise when it is asked again`,
    remedy: 'put the time or the number on the event, or keep it in the context by assign; to wait, use `after`',
  };
}
