/** Plans: what running side by side gains, and what a step costs. */
import { availableParallelism } from 'node:os';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { Piscina } from 'piscina';
import { defineAction, spawnSupervisor } from './perdure.mjs';
import { RawActions } from './raw-actions.mjs';
import { median } from './rounds.mjs';
import { scratchFile } from './scratch.mjs';

const ROUNDS = 5;
const SLOTS = availableParallelism();
const STEPS = 10_000;

const MODULE = new URL('./threads/spin.mjs', import.meta.url);

const actions = {
  wait: defineAction({ run: (/** @type {number} */ ms) => delay(ms, null) }),
  noop: defineAction({ run: () => null }),
  spin: defineAction({ thread: { module: './spin.mjs', export: 'spin' } }),
};

/** @param {number} concurrency */
function start(concurrency) {
  const root = fileURLToPath(new URL('.', MODULE));
  return spawnSupervisor({
    store: scratchFile('tracks.db'),
    actions,
    concurrency,
    threads: { size: SLOTS, root },
    checkpoint: { everyActions: 1_000_000 },
  });
}

/**
 * How long a plan takes, ms, the median of some rounds.
 * @param {Awaited<ReturnType<typeof start>>} supervisor
 * @param {Parameters<Awaited<ReturnType<typeof start>>['plan']>[0]['steps']} steps
 * @param {number} [rounds]
 */
async function makespan(supervisor, steps, rounds = ROUNDS) {
  /** @type {number[]} */
  const took = [];
  for (let round = 0; round < rounds; round++) {
    const began = performance.now();
    const { kind } = await (await supervisor.plan({ steps })).outcome;
    if (kind !== 'ok') throw new Error(`Expected the plan to be ok, got ${kind}.`);
    took.push(performance.now() - began);
  }
  return median(took);
}

/** Three independent waits of 300 ms on three slots: what is gained over one after the other. */
export async function sideBySide() {
  const supervisor = await start(3);
  const steps = ['a', 'b', 'c'].map((id) => ({ id, action: 'wait', input: 300 }));
  const took = await makespan(supervisor, steps);
  await supervisor.close();
  return { value: 900 / took, unit: 'times', ratio: 900 / took, against: 'one after the other' };
}

const LAYERS = 6;
const WIDTH = 4;
const SPIN_MS = 50;

/** Layers of CPU work, each step after two of the layer before. */
const layered = Array.from({ length: LAYERS * WIDTH }, (_, n) => {
  const [layer, place] = [Math.floor(n / WIDTH), n % WIDTH];
  const before = (/** @type {number} */ shift) => `s${(layer - 1) * WIDTH + ((place + shift) % WIDTH)}`;
  return { id: `s${n}`, action: 'spin', input: SPIN_MS, after: layer === 0 ? [] : [before(0), before(1)] };
});

/** How long one such step takes in a thread that nobody shares, ms. */
async function spinAlone() {
  const pool = new Piscina({ filename: MODULE.href, name: 'spin', minThreads: 1, maxThreads: 1 });
  /** @type {number[]} */
  const took = [];
  for (let n = 0; n < LAYERS * WIDTH; n++) {
    const began = performance.now();
    await pool.run(SPIN_MS);
    took.push(performance.now() - began);
  }
  await pool.destroy();
  return median(took);
}

/** CPU-bound steps on as many slots as there are cores, against what their work and their span allow. */
export async function cpuGraph() {
  const supervisor = await start(SLOTS);
  await makespan(supervisor, layered, 1);
  const took = await makespan(supervisor, layered);
  await supervisor.close();
  const gained = (layered.length * (await spinAlone())) / took;
  const bound = Math.min(SLOTS, layered.length / LAYERS);
  return { value: gained, unit: 'times', ratio: gained / bound, against: 'min(p, T1/T-infinity)' };
}

/** What a step costs beside its work, in a plan of 10,000: chains of 100, side by side. */
export async function stepOverhead() {
  const raw = new RawActions(scratchFile('raw.db'));
  const supervisor = await start(64);
  const steps = Array.from({ length: STEPS }, (_, n) => ({
    id: `s${n}`,
    action: 'noop',
    after: n % 100 === 0 ? [] : [`s${n - 1}`],
  }));
  const took = await makespan(supervisor, steps, 3);
  await supervisor.close();
  const began = performance.now();
  for (let first = 0; first < STEPS; first += 64) raw.run(Array.from({ length: 64 }, (_, n) => `raw${first + n}`));
  const limit = performance.now() - began;
  raw.close();
  return {
    value: took / STEPS,
    unit: 'ms/step',
    ratio: took / limit,
    against: 'raw SQLite, the rows of as many actions',
  };
}
