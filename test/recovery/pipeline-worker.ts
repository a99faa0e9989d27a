/**
 * The process that is killed: a short run through the whole pipeline, with retries, a breaker that opens, an approval, an
 * undoing, a fallback, a cancel and a debt. What it does outside of its store it notes at once. Paths and numbers come in
 * through the environment.
 */
import { existsSync, openSync, readFileSync, writeFileSync, writeSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { defineAction } from '../../actors/actions.ts';
import { sumOutcomes } from '../../actors/action-history.ts';
import { spawnSupervisor } from '../../actors/spawn.ts';

const env = process.env as Record<string, string>;
const folder = env['FOLDER'] as string;
const killAtCommit = Number(env['KILL_AT_COMMIT'] ?? 0);

const notes = openSync(`${folder}/notes`, 'a');
const note = (...words: string[]) => void writeSync(notes, `${words.join(' ')}\n`);
const isNoted = (line: string) =>
  existsSync(`${folder}/notes`) && readFileSync(`${folder}/notes`, 'utf8').split('\n').includes(line);

function down(): never {
  throw Object.assign(new Error('down'), { code: 'ECONNREFUSED' });
}

const actions = {
  flaky: defineAction({
    run: (_: null, { id, attempt }) => {
      note('run', id);
      return attempt < 3 ? down() : 'at last';
    },
    retry: { attempts: 4, delayMs: 2, capMs: 5 },
  }),
  call: defineAction({
    run: (_: null, { id }): string => {
      note('run', id);
      return down();
    },
    component: 'api',
    fallback: { cache: { run: () => 'cached', qualityLoss: 0.5 } },
  }),
  publish: defineAction({
    run: (_: null, { id }) => {
      note('run', id);
      return 'published';
    },
    impact: 'critical',
    reversible: false,
  }),
  saga: defineAction({
    run: async (_: null, { id, willUndo }): Promise<string> => {
      await willUndo('first', 1);
      await willUndo('second', 2);
      note('run', id);
      return down();
    },
    undo: {
      first: async () => {
        await sleep(1);
        note('undone', 'first');
      },
      second: async () => {
        await sleep(1);
        note('undone', 'second');
      },
    },
    fallback: () => 'instead',
  }),
  check: defineAction({
    run: (_: null, { id }) => {
      note('run', id);
      return id.includes('!') ? 'checked' : down();
    },
    fallback: { skip: { run: () => 'skipped', qualityLoss: 0.25, owes: true } },
  }),
  hang: defineAction({
    run: (_: null, { id, signal }) => {
      note('run', id);
      return new Promise<never>((_resolve, reject) => {
        signal.addEventListener('abort', () => reject(signal.reason as Error));
      });
    },
  }),
};

let commits = 0;
const supervisor = await spawnSupervisor({
  store: `${folder}/work.db`,
  durability: 'process-crash',
  actions,
  concurrency: 2,
  components: { api: { breaker: { window: 2, minCalls: 2, openMs: 3_600_000 } } },
  random: () => 0.5,
  onCommit: () => {
    commits += 1;
    if (commits === killAtCommit) process.kill(process.pid, 'SIGKILL');
  },
});
supervisor.on('action.settled', ({ id, kind }) => note('settled', id, kind));

async function approveWhenAsked(id: string): Promise<void> {
  const { rows } = supervisor.durable.store;
  for (;;) {
    const row = rows.get<{ state: string }>('select state from actions where id = ?', id);
    if (row?.state !== 'waiting' && row?.state !== undefined && row.state !== 'asking') return;
    if (row?.state === 'asking' && supervisor.approvals().some(({ action }) => action === id)) {
      if (!isNoted(`approved ${id}`)) note('approved', id);
      return supervisor.approve(id, { by: 'ann' });
    }
    await sleep(1);
  }
}

async function until(holds: () => boolean): Promise<void> {
  while (!holds()) await sleep(1);
}

const publishing = await supervisor.submit('publish', null, { id: 'publish' });
const hanging = await supervisor.submit('hang', null, { id: 'hang' });
await supervisor.execute('flaky', null, { id: 'flaky' });
for (const id of ['call1', 'call2', 'call3']) await supervisor.execute('call', null, { id });
await approveWhenAsked('publish');
await supervisor.execute('saga', null, { id: 'saga' });
await supervisor.execute('check', null, { id: 'check' });
await supervisor.workOff();
await until(() => supervisor.debts().length === 0);
await hanging.cancel();
await Promise.all([publishing.outcome, hanging.outcome]);

const { rows } = supervisor.durable.store;
const final = {
  actions: rows.all(
    'select id, state, kind, value, attempts, quality_loss, via, undo, band, approved from actions order by id',
  ),
  approvals: rows.all('select id, state, decided_by from approvals order by id'),
  debts: rows.all('select id, state, payment from debts order by id'),
  left: rows.all('select * from compensations'),
  budget: rows.get('select total(good) as good, total(bad) as bad from budget_buckets'),
  tally: sumOutcomes(rows).outcomes,
};
await supervisor.close();
writeFileSync(`${folder}/final`, JSON.stringify(final));
process.stdout.write(`commits ${commits}\n`);
