/** What a host says of its resources: checked, with its defaults. */
import { shown } from '../machines/option-keys.ts';
import {
  DEFAULT_PRESSURE,
  DEFAULT_RELIEF,
  RESOURCES,
  type PressurePolicy,
  type ReliefPolicy,
  type ResourceName,
} from '../machines/resource-policy.ts';
import { refuse, wrongFunction, wrongShape, type Wrong } from './action-options.ts';
import type { Cleanup, OnPressure } from './relief.ts';
import type { Limits } from './resource-figures.ts';
import { wrongNumber } from './thread-work.ts';

export const DEFAULT_SAMPLE_MS = 5_000;
const SHORTEST_SAMPLE_MS = 100;
const LONGEST_MS = 86_400_000;

/** What is watched, and what is done about it. */
export interface ResourceOptions extends Partial<Omit<PressurePolicy, 'confidence'>>, Partial<ReliefPolicy> {
  /** How often a sample is taken, ms, from 100. Default: 5,000. */
  readonly sampleMs?: number;
  /**
   * Limits of your own by resource, in its unit: bytes, but a count of `handles`, ms of `loopDelay`, and parts of 1. The least of
   * yours and what is found counts, and yours of `memory` is of what this process holds; yours alone of `wal` (default: 256 MiB)
   * and of `loopDelay` (default: 500 ms).
   */
  readonly limits?: Limits;
  /** Asked to make room when something is short, or is going to be. See {@link Resources.onPressure}. */
  readonly onPressure?: OnPressure;
  /** Called when what is milder has not helped, by name. See {@link Resources.registerCleanup}. */
  readonly cleanups?: Readonly<Record<string, Cleanup>>;
}

/** {@link ResourceOptions} with their defaults. */
export interface ResourceSettings {
  readonly sampleMs: number;
  readonly limits: Limits;
  readonly pressure: PressurePolicy;
  readonly relief: ReliefPolicy;
  readonly onPressure: OnPressure | undefined;
  readonly cleanups: Readonly<Record<string, Cleanup>>;
}

const PARTS = ['elevated', 'critical', 'margin'] as const;
const DURATIONS = ['horizonMs', 'intervalMs', 'coolDownMs', 'restMs', 'reliefMs', 'silenceMs'] as const;

const OPTIONS: readonly string[] = Object.keys({
  sampleMs: 1,
  horizonMs: 1,
  elevated: 1,
  critical: 1,
  margin: 1,
  dwellMs: 1,
  intervalMs: 1,
  coolDownMs: 1,
  restMs: 1,
  reliefMs: 1,
  silenceMs: 1,
  limits: 1,
  onPressure: 1,
  cleanups: 1,
} satisfies Record<keyof ResourceOptions, 1>);

/** Undefined when nothing is to be watched. Throws OPTIONS_INVALID. */
export function resourceSettings(options: ResourceOptions | false = {}): ResourceSettings | undefined {
  if (options === false) return undefined;
  refuse('The option `resources` of the supervisor', wrongOptions(options), {});
  const { sampleMs = DEFAULT_SAMPLE_MS, limits = {}, onPressure, cleanups = {} } = options;
  const pressure = filled(DEFAULT_PRESSURE, options);
  const relief = filled(DEFAULT_RELIEF, options);
  refuse('The option `resources` of the supervisor', wrongTogether(pressure, relief, sampleMs), {});
  return { sampleMs, limits, pressure, relief, onPressure, cleanups };
}

/** Those of the defaults that the host says otherwise. */
function filled<T extends object>(defaults: T, options: object): T {
  const own = Object.entries(options).filter(([name, value]) => name in defaults && value !== undefined);
  return { ...defaults, ...Object.fromEntries(own) };
}

function wrongOptions(options: ResourceOptions): Wrong {
  const shape = wrongShape('it', options, OPTIONS);
  if (shape !== undefined) return shape;
  const { sampleMs, dwellMs, limits, onPressure, cleanups } = options;
  return (
    wrongNumber('sampleMs', sampleMs, SHORTEST_SAMPLE_MS, LONGEST_MS) ??
    firstOf(DURATIONS, (name) => wrongNumber(name, options[name], 1, LONGEST_MS)) ??
    wrongNumber('dwellMs', dwellMs, 0, LONGEST_MS) ??
    firstOf(PARTS, (name) => wrongPart(name, options[name])) ??
    wrongLimits(limits) ??
    wrongFunction('onPressure', onPressure) ??
    wrongCleanups(cleanups)
  );
}

function wrongTogether({ elevated, critical, margin }: PressurePolicy, relief: ReliefPolicy, sampleMs: number): Wrong {
  if (elevated >= critical) return `elevated must be less than critical, got ${elevated} and ${critical}`;
  if (margin >= elevated) return `margin must be less than elevated, got ${margin} and ${elevated}`;
  // The machine would take its own sampler for silent.
  if (relief.silenceMs < 2 * sampleMs) return `silenceMs must be twice sampleMs at least, got ${relief.silenceMs}`;
  return undefined;
}

function wrongLimits(limits: Limits = {}): Wrong {
  const shape = wrongShape('limits', limits, Object.keys(RESOURCES));
  if (shape !== undefined) return shape;
  return firstOf(Object.keys(limits) as ResourceName[], (name) => {
    const limit = limits[name];
    if (limit === undefined || (typeof limit === 'number' && limit > 0 && Number.isFinite(limit))) return undefined;
    return `limits.${name} must be a number greater than 0, got ${shown(limit)}`;
  });
}

function wrongCleanups(cleanups: ResourceOptions['cleanups'] = {}): Wrong {
  const shape = wrongShape('cleanups', cleanups, Object.keys(cleanups));
  if (shape !== undefined) return shape;
  return firstOf(Object.keys(cleanups), (name) =>
    typeof cleanups[name] === 'function'
      ? undefined
      : `cleanups.${name} must be a function, got ${shown(cleanups[name])}`,
  );
}

function wrongPart(name: string, value: unknown): Wrong {
  if (value === undefined || (typeof value === 'number' && value > 0 && value <= 1)) return undefined;
  return `${name} must be a part of the limit, more than 0 and at most 1, got ${shown(value)}`;
}

function firstOf<T extends string>(names: readonly T[], wrong: (name: T) => Wrong): Wrong {
  for (const name of names) {
    const found = wrong(name);
    if (found !== undefined) return found;
  }
  return undefined;
}
