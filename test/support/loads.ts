/** Made-up loads of a resource, the same for the same seed. */
import type { Sample } from '../../machines/forecast.ts';

/** Uniform in [0, 1): mulberry32. */
export function seeded(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296;
  };
}

/** Normal, of mean 0 and deviation 1. */
export function normal(random: () => number): number {
  return Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
}

/** The next time, about every 5 s, as a busy timer has it. */
export function later(at: number, random: () => number): number {
  return at + 4_000 + 2_000 * random();
}

interface Leak {
  readonly samples: number;
  /** From the last sample to the limit of 1. */
  readonly etaMs: number;
  readonly slopePerMs: number;
  readonly noise: number;
  /** The part of the samples that says anything. */
  readonly outliers: number;
  readonly seed: number;
}

/** A straight rise, sampled now after half a second and now after ten. */
export function leak({ samples, etaMs, slopePerMs, noise, outliers, seed }: Leak): Sample[] {
  const random = seeded(seed);
  let at = 0;
  const times = Array.from({ length: samples }, () => (at += 500 + 9_500 * random()));
  return times.map((time) => {
    const value = 1 - slopePerMs * (at + etaMs - time) + noise * normal(random);
    return { at: time, value: random() < outliers ? random() : value };
  });
}
