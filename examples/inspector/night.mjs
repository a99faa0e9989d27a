/**
 * A night's work to look at: services are fetched, examined, patched and tested side by side, now and then one of their
 * dependencies fails, and what could do harm asks first.
 *
 *   node examples/inspector/night.mjs [--port 7337] [--token <token>] [--store work/night.db] [--read-only] [--services 6] [--pace 1]
 *
 * It prints the address to open. Kill it, with any signal, and start it again: it goes on, and so does the page.
 */
import { mkdirSync } from 'node:fs';
import { dirname } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { defineAction, spawnSupervisor } from 'perdure';

const { values: given } = parseArgs({
  options: {
    port: { type: 'string', default: '7337' },
    token: { type: 'string' },
    store: { type: 'string', default: 'work/night.db' },
    'read-only': { type: 'boolean', default: false },
    services: { type: 'string', default: '6' },
    /** How much faster than life. */
    pace: { type: 'string', default: '1' },
  },
});
const pace = Number(given.pace);
mkdirSync(dirname(given.store), { recursive: true });

/** Work that takes about so long, gives up when it is told to, and tells how far it is.
 * @param {number} ms
 * @param {import('perdure').ActionContext} context
 */
async function work(ms, { signal, progress }) {
  const steps = 4;
  for (let step = 1; step <= steps; step++) {
    await sleep((ms * (0.7 + Math.random() * 0.6)) / steps / pace, undefined, { signal });
    progress({ done: step / steps });
  }
}

/** Fails as often as it is said, as networks do: what happens is the same in each night.
 * @param {number} times
 * @param {string} message
 * @param {import('perdure').ActionContext} context
 */
function unreliable(times, message, { attempt }) {
  if (attempt <= times) throw Object.assign(new Error(message), { code: 'ECONNRESET' });
}

/** @typedef {{ service: string, files?: number }} Service */

const actions = {
  fetch: defineAction({
    /** @param {Service} input */
    run: async ({ service }, context) => {
      await work(900, context);
      const times = service === 'delivery' ? 2 : service === 'search' ? 1 : 0;
      unreliable(times, `The registry closed the connection while ${service} was fetched.`, context);
      return { service, files: 40 + service.length };
    },
    component: 'registry',
    retry: { attempts: 5, delayMs: 2_500 / pace },
    timeoutMs: 30_000,
  }),
  examine: defineAction({
    /** @param {Service} input */
    run: async ({ service }, context) => {
      await work(2_600, context);
      unreliable(service === 'mailer' ? 2 : 0, 'The model is overloaded.', context);
      return { service, findings: service.length % 4, model: 'large' };
    },
    fallback: {
      'smaller-model': {
        run: async ({ service }) => ({ service, findings: 0, model: 'small' }),
        qualityLoss: 0.2,
      },
    },
    component: 'model',
    retry: { attempts: 2, delayMs: 1_500 / pace },
  }),
  patch: defineAction({
    /** @param {Service} input */
    run: async ({ service }, context) => {
      await work(1_800, context);
      return { service, commits: 1 + (service.length % 3) };
    },
    undo: ({ service }) => ({ reverted: service }),
  }),
  test: defineAction({
    /** @param {Service} input */
    run: async ({ service }, context) => {
      await work(2_200, context);
      if (service === 'billing') throw new Error('12 of 340 tests fail: invoices are rounded down.');
      return { service, passed: 340 };
    },
  }),
  deploy: defineAction({
    /** @param {Service} input */
    run: async ({ service }, context) => {
      await work(1_500, context);
      return { service, version: '2.4.0' };
    },
    impact: 'high',
    reversible: false,
    summary: ({ service }) => `Deploy ${service} to production and delete the old version`,
    approval: { silence: 'wait' },
  }),
  heartbeat: defineAction({ run: () => null }),
};

const supervisor = await spawnSupervisor({
  store: given.store,
  history: true,
  concurrency: 4,
  actions,
  components: {
    registry: { breaker: { window: 10, minCalls: 8, openMs: 6_000 / pace } },
    model: { breaker: { window: 10, minCalls: 8, openMs: 8_000 / pace } },
  },
  queues: { deployments: { concurrency: 1 } },
  resources: { sampleMs: 2_000 },
  checkpoint: { everyMs: 20_000 },
  inspector: {
    port: Number(given.port),
    commands: !given['read-only'],
    badge: 'night',
    ...(given.token === undefined ? {} : { token: given.token }),
  },
});
console.log(supervisor.inspector?.url);

const names = ['accounts', 'billing', 'catalog', 'delivery', 'mailer', 'search', 'media', 'reviews', 'offers', 'stock'];
const services = Array.from(
  { length: Number(given.services) },
  (_, n) => `${names[n % names.length]}${n < names.length ? '' : n}`,
);
const steps = services.flatMap((service) => [
  { id: `${service}-fetch`, action: 'fetch', input: { service }, estimateMs: 900 },
  { id: `${service}-examine`, action: 'examine', input: { service }, after: [`${service}-fetch`], estimateMs: 2_600 },
  { id: `${service}-patch`, action: 'patch', input: { service }, after: [`${service}-examine`], estimateMs: 1_800 },
  { id: `${service}-test`, action: 'test', input: { service }, after: [`${service}-patch`], estimateMs: 2_200 },
  {
    id: `${service}-deploy`,
    action: 'deploy',
    input: { service },
    after: [`${service}-test`],
    queue: 'deployments',
    estimateMs: 1_500,
  },
]);

await supervisor.schedules.put({ id: 'heartbeat', action: 'heartbeat', input: null, everyMs: 15_000 });
for (let night = 1; ; night++) {
  const id = `upgrade:${night}`;
  try {
    const plan = await supervisor.plan({ id, name: 'upgrade', policy: 'skip-dependants', steps });
    await plan.outcome;
  } catch (error) {
    // Somebody went back to before this night, or forbade it: the next one begins all the same.
    console.error(`${id} has no outcome: ${error instanceof Error ? error.message : String(error)}`);
  }
  await sleep(5_000 / pace);
}
