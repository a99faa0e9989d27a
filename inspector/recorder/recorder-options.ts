/** What a host says of its recorder, checked before anything is recorded. */
import { checkObject, refuse, wrongFunction, type Wrong } from '../../actors/action-options.ts';
import { shown, unknownKey } from '../../machines/option-keys.ts';

/** Options of a `Recorder`. */
export interface RecorderOptions {
  /** Redacts what is shown: events, contexts, outputs, errors, parameters. Default: the usual names of secrets. */
  readonly shown?: (value: unknown) => unknown;
  /** Applied to every text that is shown, last. Default: as it is. */
  readonly shownText?: (text: string) => string;
  /** Wall-clock ms since 1970. Default: the system's. */
  readonly now?: () => number;
  /** Records that are held. Default: 20,000. */
  readonly records?: number;
  /** States of late that can be asked for by their record. Default: 2,000. */
  readonly states?: number;
  /** Actors that are listed. Default: 20,000. */
  readonly actors?: number;
  /** Actors that have ended and are still listed, each for ten minutes at most. Default: 1,000. */
  readonly ended?: number;
  /** How long trees are looked at after the last subscriber has gone, so that a page that is loaded again misses nothing, in ms. Default: 5,000. */
  readonly lingerMs?: number;
  /** How long records gather before they are told, in ms. Default: 50. */
  readonly batchMs?: number;
}

const LONGEST_TIMEOUT_MS = 2 ** 31 - 1;
const FUNCTIONS = ['shown', 'shownText', 'now'] as const;
const COUNTS = { records: 1, states: 0, actors: 1, ended: 0 } as const;
const TIMES = ['lingerMs', 'batchMs'] as const;

/** Throws OPTIONS_INVALID. */
export function checkRecorderOptions(options: RecorderOptions): void {
  checkObject('The options of the recorder', options);
  const wrong = [
    unknownKey(options, [...FUNCTIONS, ...Object.keys(COUNTS), ...TIMES]),
    ...FUNCTIONS.map((name) => wrongFunction(name, options[name])),
    ...Object.entries(COUNTS).map(([name, least]) => wrongCount(name, options[name as keyof typeof COUNTS], least)),
    ...TIMES.map((name) => wrongTime(name, options[name])),
  ];
  refuse(
    'The recorder',
    wrong.find((one) => one !== undefined),
    {},
  );
}

function wrongCount(what: string, count: unknown, least: number): Wrong {
  if (count === undefined || (Number.isSafeInteger(count) && (count as number) >= least)) return undefined;
  return `${what} must be a whole number from ${least}, got ${shown(count)}`;
}

function wrongTime(what: string, ms: unknown): Wrong {
  if (ms === undefined || (typeof ms === 'number' && ms >= 0 && ms <= LONGEST_TIMEOUT_MS)) return undefined;
  return `${what} must be milliseconds from 0 to ${LONGEST_TIMEOUT_MS}, got ${shown(ms)}`;
}
