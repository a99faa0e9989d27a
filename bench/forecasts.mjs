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
  const errors = [];
  for (let n = 0; n < SERIES; n++) {
    const told = forecast(leak(), 1);
    if (told !== null) errors.push(Math.abs(told.etaMs - ETA_MS) / ETA_MS);
  }
  const ordinary = Math.abs(leastSquares(leak()) - ETA_MS) / ETA_MS;
  const value = median(errors);
  return {
    value,
    unit: 'of the time to exhaustion',
    ratio: value / ordinary,
    against: 'least squares on the same sort',
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
