/** Actions through the whole pipeline: queued, judged, permitted by a component, attempted, settled, charged, and durable. */
import { v7 } from 'uuid';
import { defineAction, spawnSupervisor } from './perdure.mjs';
import { RawActions } from './raw-actions.mjs';
import { RawSqlite } from './raw-sqlite.mjs';
import { compare, median, perSecond } from './rounds.mjs';
import { scratchFile } from './scratch.mjs';

const ROUNDS = 7;
const AT_ONCE = 64;
const TOGETHER = 3_200;
const ALONE = 400;

/** Leans on a component with a breaker and a retry budget, and does nothing. */
const noop = defineAction({ component: 'service', run: () => null });
/** What fails until the breaker of its component opens, which then stays open. */
const broken = defineAction({
  component: 'service',
  run: () => {
    throw new Error('refused');
  },
});
const service = { breaker: { openMs: 3_600_000, maxOpenMs: 3_600_000 } };
/** Failures that are meant must not slow the run down. */
const generous = { kind: /** @type {const} */ ('count'), perHour: 1e9 };

/** Clients that each wait for an outcome before they ask for the next, against the same rows. */
export async function noopsTogether() {
  const raw = new RawActions(scratchFile('raw.db'));
  const supervisor = await start();
  const { ours, ratio } = await compare(
    ROUNDS,
    () => perSecond(TOGETHER, () => runTogether(supervisor, 'noop', 'ok')),
    () => perSecond(TOGETHER, () => writeTogether(raw)),
  );
  await supervisor.close();
  raw.close();
  return { value: ours, unit: 'actions/s', ratio, against: 'raw SQLite, the same rows in as many commits' };
}

/** Actions that are refused because what they lean on is known to be broken. */
export async function rejections() {
  const raw = new RawActions(scratchFile('raw.db'));
  const supervisor = await start();
  while ((await supervisor.execute('broken', null)).error?.code !== 'CIRCUIT_OPEN');
  const { ours, ratio } = await compare(
    ROUNDS,
    () => perSecond(TOGETHER, () => runTogether(supervisor, 'broken', 'failed')),
    () => perSecond(TOGETHER, () => writeTogether(raw)),
  );
  await supervisor.close();
  raw.close();
  return { value: ours, unit: 'rejections/s', ratio, against: 'raw SQLite, the rows of actions in as many commits' };
}

export const latencyP50 = () => latency(0.5);
export const latencyP99 = () => latency(0.99);

/**
 * What an idle system adds to one action, against the median of raw commits: the action itself takes no time.
 * @param {number} quantile
 */
async function latency(quantile) {
  const raw = new RawSqlite(scratchFile('raw.db'), 1);
  const supervisor = await start();
  const { ours, ratio } = await compare(
    ROUNDS,
    async () => quantileOf(await times(() => supervisor.execute('noop', null)), quantile),
    async () => median(await times(() => raw.commit([1]))),
  );
  await supervisor.close();
  raw.close();
  return { value: ours, unit: 'ms', ratio, against: 'the median raw one-row commit' };
}

function start() {
  const store = scratchFile('actions.db');
  const actions = { noop, broken };
  return spawnSupervisor({ store, actions, components: { service }, concurrency: AT_ONCE, budget: generous });
}

/**
 * @param {Awaited<ReturnType<typeof start>>} supervisor
 * @param {'noop' | 'broken'} name
 * @param {string} expected
 */
async function runTogether(supervisor, name, expected) {
  let left = TOGETHER;
  const client = async () => {
    while (left-- > 0) {
      const { kind } = await supervisor.execute(name, null);
      if (kind !== expected) throw new Error(`Expected the outcome ${expected}, got ${kind}.`);
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, client));
}

/** @param {RawActions} raw */
function writeTogether(raw) {
  for (let first = 0; first < TOGETHER; first += AT_ONCE) raw.run(Array.from({ length: AT_ONCE }, () => v7()));
}

/** @param {() => unknown} work */
async function times(work) {
  /** @type {number[]} */
  const took = [];
  for (let n = 0; n < ALONE; n++) {
    const began = performance.now();
    await work();
    took.push(performance.now() - began);
  }
  return took;
}

/**
 * @param {readonly number[]} values
 * @param {number} quantile
 */
function quantileOf(values, quantile) {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length * quantile)] ?? 0;
}
