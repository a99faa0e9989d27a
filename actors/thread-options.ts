/** What a host says of the threads of a supervisor: checked, with its defaults. */
import { availableParallelism } from 'node:os';
import { isObject, shown, unknownKey } from '../machines/option-keys.ts';
import { DEFAULT_INTENSITY, DEFAULT_PERIOD_MS, MOST_INTENSITY } from '../machines/background.ts';
import { refuse } from './action-options.ts';
import { wrongNumber, wrongText } from './thread-work.ts';

/** Threads at once. */
export const MOST_THREADS = 64;
/** Node needs about that much to start a thread. */
const LEAST_MEMORY_MB = 16;
const LONGEST_MS = 2 ** 31 - 1;

/** The threads of a supervisor. */
export interface ThreadOptions {
  /** How many run at once, from 1 to 64. Default: the number of processors. */
  readonly size?: number;
  /** Heap of each thread, MB. It does not bound buffers. Default: as Node has it. */
  readonly memoryMb?: number;
  /** The folder that no module may be outside of. Default: the working directory. */
  readonly root?: string;
  /** Packages that may be named as modules. Default: none. */
  readonly packages?: readonly string[];
  /** `process.env` of the threads. Default: empty. */
  readonly env?: Readonly<Record<string, string>>;
  /** A module whose threads die more often than this within `periodMs` is quarantined for as long; 0 to 20, or false for never. Default: 5. */
  readonly intensity?: number | false;
  /** ms. Default: 60,000. */
  readonly periodMs?: number;
}

/** {@link ThreadOptions} with their defaults. */
export type ThreadSettings = Omit<Required<ThreadOptions>, 'memoryMb' | 'intensity'> & {
  readonly memoryMb: number | undefined;
  readonly intensity: number | null;
};

const OPTIONS: readonly string[] = Object.keys({
  size: 1,
  memoryMb: 1,
  root: 1,
  packages: 1,
  env: 1,
  intensity: 1,
  periodMs: 1,
} satisfies Record<keyof ThreadOptions, 1>);
/** Throws OPTIONS_INVALID. */
export function threadSettings(options: ThreadOptions = {}): ThreadSettings {
  refuse('The option `threads` of the supervisor', wrongSettings(options), {});
  return {
    size: options.size ?? Math.min(MOST_THREADS, availableParallelism()),
    memoryMb: options.memoryMb,
    root: options.root ?? process.cwd(),
    packages: options.packages ?? [],
    env: options.env ?? {},
    intensity: options.intensity === false ? null : (options.intensity ?? DEFAULT_INTENSITY),
    periodMs: options.periodMs ?? DEFAULT_PERIOD_MS,
  };
}

/** How many threads there may be. Throws OPTIONS_INVALID. */
export function checkedSize(size: number): number {
  refuse('The threads of the supervisor', wrongNumber('size', size, 1, MOST_THREADS), {});
  return size;
}

function wrongSettings(options: unknown): string | undefined {
  if (!isObject(options)) return `must be an object, got ${shown(options)}`;
  const { size, memoryMb, root, packages, env, intensity, periodMs } = options;
  return (
    unknownKey(options, OPTIONS) ??
    wrongNumber('size', size, 1, MOST_THREADS) ??
    wrongNumber('memoryMb', memoryMb, LEAST_MEMORY_MB, 1_048_576) ??
    (intensity === false ? undefined : wrongNumber('intensity', intensity, 0, MOST_INTENSITY)) ??
    wrongNumber('periodMs', periodMs, 1, LONGEST_MS) ??
    wrongText('root', root) ??
    (packages === undefined || isTexts(packages)
      ? undefined
      : `packages must be a list of names, got ${shown(packages)}`) ??
    (env === undefined || (isObject(env) && isTexts(Object.values(env)))
      ? undefined
      : `env must be an object of texts, got ${shown(env)}`)
  );
}

function isTexts(value: unknown): value is readonly string[] {
  return Array.isArray(value) && value.every((one) => typeof one === 'string');
}
