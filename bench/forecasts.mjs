/** How far forecasts are from the truth, where the truth is known. */
import { forecast } from '../dist/machines/index.js';
import { median } from './rounds.mjs';

const SERIES = 300;
const SAMPLES = 60;
const ETA_MS = 200_000;
const SLOPE = 0.5 / 600_000;
const NOISE = 0.005;
const OUTLIERS = 0.2;

/** Leaks that are sampled irregularly, with noise, and of which a fifth of the samples says anything. */
export async function forecastError() {
  const errorOf = (/** @type {number} */ etaMs) => Math.abs(etaMs - ETA_MS) / ETA_MS;
  const told = [];
  for (let n = 0; n < SERIES; n++) {
    const samples = leak();
    const forecasted = forecast(samples, 1);
    if (forecasted !== null) told.push({ ours: errorOf(forecasted.etaMs), ordinary: errorOf(leastSquares(samples)) });
  }
  const value = median(told.map(({ ours }) => ours));
  return {
    value,
    unit: 'of the time to exhaustion',
    ratio: value / median(told.map(({ ordinary }) => ordinary)),
    against: `least squares on the same ${told.length} series; ${SERIES - told.length} of ${SERIES} had no forecast`,
  };
}

function leak() {
  const samples = [];
  for (let i = 0, at = 0; i < SAMPLES; i++) {
    at += 1_000 + Math.random() * 9_000;
    samples.push({ at, value: 0 });
  }
  const end = samples.at(-1)?.at ?? 0;
  return samples.map(({ at }) => {
    const isOutlier = Math.random() < OUTLIERS;
    const truth = 1 - (end + ETA_MS - at) * SLOPE;
    return { at, value: isOutlier ? Math.random() : truth + (Math.random() - 0.5) * 2 * NOISE };
  });
}

/**
 * When the line of least squares reaches the limit.
 * @param {readonly { at: number, value: number }[]} samples
 */
function leastSquares(samples) {
  const mean = (/** @type {number[]} */ values) => values.reduce((sum, one) => sum + one, 0) / values.length;
  const [at, value] = [mean(samples.map((one) => one.at)), mean(samples.map((one) => one.value))];
  const slope =
    mean(samples.map((one) => (one.at - at) * (one.value - value))) / mean(samples.map((one) => (one.at - at) ** 2));
  return at + (1 - value) / slope - (samples.at(-1)?.at ?? 0);
}
