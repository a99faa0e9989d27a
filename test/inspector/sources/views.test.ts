/** What the views say of a supervisor, and what asking costs. */
import Database from 'better-sqlite3';
import { expect, onTestFinished, test } from 'vitest';
import { spawnSupervisor } from '../../../actors/spawn.ts';
import { defineAction } from '../../../actors/actions.ts';
import { liveSource } from '../../../inspector/sources/live-source.ts';
import type { Source } from '../../../inspector/sources/source.ts';
import { storeSource } from '../../../inspector/sources/store-source.ts';
import type { Approvals } from '../../../inspector/views/approvals.ts';
import type {
  BudgetView,
  DeadLettersView,
  ProfileView,
  ResourcesView,
  SchedulesView,
} from '../../../inspector/views/measures.ts';
import type { Overview } from '../../../inspector/views/overview.ts';
import type { Checkpoints, Comparison, Past } from '../../../inspector/views/past.ts';
import type { PlanGraph, Plans } from '../../../inspector/views/plan.ts';
import type { Timeline } from '../../../inspector/views/timeline.ts';
import type { ActionDetail, Work } from '../../../inspector/views/work.ts';
import { redaction } from '../../../persistence/redaction.ts';
import { Statements } from '../../../persistence/rows.ts';
import { SimulatedClock } from '../../../persistence/simulated-clock.ts';
import { openInspected, populate, type Inspected } from '../../support/inspected.ts';
import { HOUR, MINUTE, SECOND, START, inTime, open } from '../../support/pipeline.ts';
import { quickStore } from '../../support/temp.ts';
import { until } from '../../support/turns.ts';

function asking(source: Source) {
  return <T>(name: string, query: Readonly<Record<string, string | number>> = {}) =>
    source.view(
      name,
      new URLSearchParams(Object.fromEntries(Object.entries(query).map(([key, value]) => [key, String(value)]))),
    ) as T;
}

async function populated(): Promise<{ supervisor: Inspected; view: ReturnType<typeof asking> }> {
  const supervisor = await openInspected(quickStore());
  onTestFinished(() => supervisor.close());
  await populate(supervisor);
  const source = liveSource(supervisor);
  onTestFinished(() => source.close());
  return { supervisor, view: asking(source) };
}

test('the overview says what runs, waits, failed and is next, as the supervisor itself says it', async () => {
  const { supervisor, view } = await populated();
  const overview = view<Overview>('overview');
  const { outcomes, queue, tier, budget } = supervisor.stats();
  expect(overview).toMatchObject({
    state: 'running',
    isOwned: true,
    slots: 4,
    health: supervisor.health(),
    outcomes,
    counts: {
      waiting: queue.waiting,
      running: queue.running,
      backingOff: queue.backingOff,
      asking: queue.asking,
      parked: queue.parked,
      delayed: 1,
      held: 0,
      deadLetters: 2,
      plansOpen: 0,
    },
    budget: { tier, burn: budget.burn },
    running: [{ id: 'runs', name: 'wait', attempt: 1, retryAt: null }],
    retrying: [{ id: 'backing-off', error: 'later', retryAt: expect.any(Number) as number }],
    approvals: 1,
  });
  expect(overview.failed.map(({ id, plan, canRetryPlan, error }) => [id, plan, canRetryPlan, error])).toEqual([
    ['build:1/c', 'build:1', true, 'no 3'],
    ['dead', null, false, 'no 7'],
  ]);
  expect(overview.minutes.length).toBe(60);
  expect(overview.minutes.reduce((sum, { settled }) => sum + settled, 0)).toBe(5);
  expect(overview.next.map(({ kind, id }) => [kind, id])).toEqual([
    ['retry', 'backing-off'],
    ['delay', 'delayed'],
    ['schedule', 'yearly'],
  ]);
});

test('no view shows a secret in the message of an error', async () => {
  const { supervisor, view } = await populated();
  const message = `401: ${JSON.stringify({ password: 'hunter22' })}`;
  await supervisor.durable.store.commits.transact(() => {
    const sql = `update actions set error = json_set(error, '$.message', ?) where error is not null`;
    supervisor.durable.store.rows.run(sql, message);
  });
  const shown = [
    view<Overview>('overview').failed[0]?.error,
    view<Overview>('overview').retrying[0]?.error,
    view<Work>('work', { state: 'failed' }).items[0]?.error,
    view<ActionDetail>('action', { id: 'dead' }).error,
    view<PlanGraph>('plan', { id: 'build:1' }).graph.find(({ id }) => id === 'c')?.error,
    view<DeadLettersView>('dead-letters').items[0]?.error?.message,
  ];
  expect(shown).toEqual(shown.map(() => '401: {"password":"[redacted]"}'));
  expect(JSON.stringify(view('action', { id: 'dead' }))).not.toContain('hunter22');
});

test('work is told apart by its state, its plan, its queue, its kind and its words, a page after the other', async () => {
  const { view } = await populated();
  const ids = (query: Readonly<Record<string, string | number>>) => view<Work>('work', query).items.map(({ id }) => id);
  expect(ids({ state: 'running' })).toEqual(['runs', 'backing-off']);
  expect(ids({ state: 'retrying' })).toEqual(['backing-off']);
  expect(ids({ state: 'asking' })).toEqual(['asking']);
  expect(ids({ state: 'delayed' })).toEqual(['delayed']);
  expect(ids({ state: 'waiting' })).toEqual(['paused']);
  expect(ids({ state: 'failed' })).toEqual(['build:1/c', 'dead']);
  expect(ids({ state: 'failed', plan: 'build:1' })).toEqual(['build:1/c']);
  expect(ids({ plan: 'build:1' })).toEqual(['build:1/b', 'build:1/c', 'build:1/a']);
  expect(ids({ queue: 'mail' })).toEqual(['paused', 'runs']);
  expect(ids({ kind: 'ok', name: 'add' })).toEqual(['build:1/b', 'build:1/a', 'one']);
  expect(ids({ search: 'BACK' })).toEqual(['backing-off']);
  expect(ids({ search: '%' })).toEqual([]);
  const pages: string[][] = [];
  for (let after: number | null = Number.MAX_SAFE_INTEGER; after !== null;) {
    const page: Work = view('work', { after, limit: 4 });
    pages.push(page.items.map(({ id }) => id));
    expect(page.more).toBe(page.next !== null);
    after = page.next;
  }
  expect(pages.map(({ length }) => length)).toEqual([4, 4, 2]);
  expect(pages.flat()).toEqual(ids({}));
  expect(view<Work>('work').queues).toEqual([
    { name: 'default', isPaused: false, waiting: 0, running: 1, limit: null },
    { name: 'mail', isPaused: true, waiting: 1, running: 1, limit: 2 },
  ]);
  expect(view<Work>('work').names).toEqual(['add', 'fail', 'retry', 'wait']);
});

test('an action is shown with its values, redacted, and with what can be done about it', async () => {
  const { view } = await populated();
  const action = (id: string) => view<ActionDetail>('action', { id });
  expect(action('one')).toMatchObject({ input: { n: 1, password: '[redacted]' }, value: 2, actor: null, commands: [] });
  expect(action('dead')).toMatchObject({
    error: 'no 7',
    errorRecord: { message: 'no 7', class: expect.any(String) as string },
    commands: ['requeue', 'discard'],
  });
  expect(action('build:1/c').commands).toEqual(['discard']);
  expect(action('backing-off')).toMatchObject({ commands: ['retry', 'cancel'], actor: 'main/executor/slot.0' });
  expect(action('runs').commands).toEqual(['cancel']);
  expect(action('asking').commands).toEqual(['approve', 'deny', 'cancel']);
  expect(action('delayed').commands).toEqual(['run-now', 'cancel']);
  expect(action('paused').commands).toEqual(['cancel']);
});

test('a long value is cut', async () => {
  const { supervisor, view } = await populated();
  await supervisor.submit('ask', { to: 'x'.repeat(100_000) }, { id: 'long' });
  const { input } = view<ActionDetail>('action', { id: 'long' });
  expect(input).toMatch(/^\{"to":"x+… \(\d+ characters\)$/);
  expect((input as string).length).toBeLessThan(66_000);
});

test('a plan is a graph with its critical path, by what its steps took', async () => {
  const { view } = await populated();
  expect(view<Plans>('plans')).toMatchObject({
    plans: [
      { id: 'build:1', name: 'build', state: 'settled', kind: 'failed', steps: 4, done: 4, failed: 1, skipped: 1 },
    ],
    next: null,
  });
  const { graph, criticalPath, criticalMs, speedUp, etaMs } = view<PlanGraph>('plan', { id: 'build:1' });
  expect(graph.map(({ id, state, kind, after }) => [id, state, kind, after])).toEqual([
    ['a', 'settled', 'ok', []],
    ['b', 'settled', 'ok', ['a']],
    ['c', 'settled', 'failed', ['a']],
    ['d', 'settled', 'skipped', ['c']],
  ]);
  expect(criticalPath[0]).toBe('a');
  expect(graph.filter(({ isCritical }) => isCritical).map(({ id }) => id)).toEqual(criticalPath);
  const took = new Map(
    graph.map(({ id, startedAt, settledAt }) => [id, startedAt === null ? 0 : (settledAt ?? 0) - startedAt]),
  );
  expect(criticalMs).toBe(criticalPath.reduce((sum, id) => sum + (took.get(id) ?? 0), 0));
  expect(speedUp === null || speedUp > 0).toBe(true);
  expect(etaMs).toBeNull();
});

test('groups and the items of fan-outs have their places in the graph of a plan', async () => {
  const actions = {
    list: defineAction({ run: () => [1, 2] }),
    work: defineAction({ run: (_: object) => new Promise<void>(() => {}) }),
  };
  const supervisor = await spawnSupervisor({ store: quickStore(), actions, resources: false });
  onTestFinished(() => supervisor.close({ graceMs: 0 }));
  await supervisor.plan({
    id: 'p',
    steps: [
      { id: 'g', steps: [{ id: 'list', action: 'list', input: undefined }] },
      { id: 'each', action: 'work', forEach: { from: 'g/list' } },
    ],
  });
  const source = liveSource(supervisor);
  onTestFinished(() => source.close());
  const graph = () => asking(source)<PlanGraph>('plan', { id: 'p' }).graph;
  await until(() => graph().filter(({ state }) => state === 'running').length === 2);
  expect(graph().map(({ id, role, parent }) => [id, role, parent])).toEqual([
    ['g/list', 'step', 'g'],
    ['g', 'group', null],
    ['each', 'fan-out', null],
    ['each[0]', 'step', 'each'],
    ['each[1]', 'step', 'each'],
  ]);
});

test('the timeline says when each action waited, ran, asked and backed off, where the history knows it', async () => {
  const clock = new SimulatedClock(START);
  let failures = 2;
  const actions = {
    flaky: defineAction({
      run: async () => {
        await new Promise<void>((done) => void clock.setTimeout(done, 2 * SECOND));
        if (failures-- > 0) throw Object.assign(new Error('again'), { code: 'ECONNRESET' });
      },
      retry: { attempts: 3, delayMs: 10 * SECOND, capMs: 10 * SECOND },
    }),
    ask: defineAction({ run: (_: object) => 1, impact: 'critical', reversible: false }),
  };
  const supervisor = await open(clock, { actions, history: true, resources: false, concurrency: 1 });
  onTestFinished(() => supervisor.close());
  const source = liveSource(supervisor);
  onTestFinished(() => source.close());
  const asked = await supervisor.submit('ask', {}, { id: 'asked' });
  await inTime(clock, (await supervisor.submit('flaky', undefined as never, { id: 'flaky' })).outcome);
  await supervisor.approve('asked', { by: 'me' });
  await inTime(clock, asked.outcome);
  const { rows, more } = asking(source)<Timeline>('timeline');
  expect(more).toBe(false);
  const phases = (id: string) => rows.find((row) => row.id === id)?.parts.map(({ phase }) => phase);
  expect(phases('flaky')).toEqual(['running', 'back-off', 'running', 'back-off', 'running']);
  expect(phases('asked')).toEqual(['asking', 'running']);
  for (const { parts } of rows) {
    // One after the other, without a gap.
    for (const [i, part] of parts.entries()) expect(part.from).toBe(i === 0 ? part.from : parts[i - 1]?.to);
    expect(parts.at(-1)?.to).not.toBeNull();
  }
  const rests = rows.find(({ id }) => id === 'flaky')?.parts.filter(({ phase }) => phase === 'back-off') ?? [];
  for (const { from, to } of rests) expect(to! - from).toBeGreaterThanOrEqual(5 * SECOND);
  const none = asking(source)<Timeline>('timeline', { from: 0, to: START - 1 });
  expect(none.rows).toEqual([]);
});

test('what is redacted of an approval is redacted of the name of who decided, too', async () => {
  const supervisor = await openInspected(quickStore(), { redact: redaction({ patterns: [/hunter\w*/] }) });
  onTestFinished(() => supervisor.close());
  await supervisor.submit('ask', { to: 'me' }, { id: 'asking' });
  await until(() => supervisor.approvals().length === 1);
  await supervisor.deny('asking', { by: 'hunter2', note: 'hunter2' });
  const source = liveSource(supervisor);
  onTestFinished(() => source.close());
  expect(JSON.stringify(asking(source)<Approvals>('approvals').decided)).not.toContain('hunter2');
});

test('approvals, dead letters, schedules, budget, profile and checkpoints are there to be looked at', async () => {
  const { supervisor, view } = await populated();
  await supervisor.deny('asking', { by: 'me', note: 'no' });
  expect(view<Approvals>('approvals')).toMatchObject({
    open: [],
    decided: [{ action: 'asking', state: 'denied', by: 'me' }],
  });
  const dead = view<DeadLettersView>('dead-letters', { limit: 1 });
  expect(dead).toMatchObject({ items: [{ id: 'dead', error: { message: 'no 7' } }], more: true });
  expect(view<DeadLettersView>('dead-letters', { after: 'dead' })).toMatchObject({
    items: [{ id: 'build:1/c' }],
    more: false,
  });
  expect(view<SchedulesView>('schedules').items).toEqual(supervisor.schedules.list());
  const budget = view<BudgetView>('budget');
  expect(Object.values(budget.newest)).toContainEqual({ text: 'no 3', at: expect.any(Number) as number });
  expect(budget.series.reduce((sum, { bad }) => sum + bad, 0)).toBe(budget.report?.bad);
  expect(budget.series.at(-1)?.spent).toBeCloseTo(budget.report?.spent ?? -1, 1);
  await supervisor.profiler.chromeTrace();
  const profile = view<ProfileView>('profile', { plan: 'build' });
  expect(profile).toMatchObject({ report: { plan: { id: 'build:1' } }, runs: [{ id: 'build:1', name: 'build' }] });
  expect(profile.flame?.children.length).toBeGreaterThan(0);
  expect(view('cpuprofile')).toMatchObject({ nodes: expect.any(Array) as unknown[] });
  const { checkpoints, history, turn } = view<Checkpoints>('checkpoints');
  expect(checkpoints).toMatchObject([{ label: 'before the plan', reason: 'request' }]);
  expect(history).toMatchObject({ from: 1, to: turn });
  const compared = await view<Promise<Comparison>>('compare', { a: checkpoints[0]?.turn ?? 0 });
  expect(compared.differences).toContainEqual(expect.objectContaining({ kind: 'table', table: 'actions' }));
  const { actors } = view<Past>('past', { turn: checkpoints[0]?.turn ?? 0 });
  expect(actors.map(({ id }) => id)).toContain('main/executor');
});

test('resources are shown with their samples and what is forecast, also from beside', async () => {
  const store = quickStore();
  const clock = new SimulatedClock(START);
  const supervisor = await open(clock, { store, actions: {}, resources: { sampleMs: 1_000 } });
  await until(() => supervisor.resources.history('heap').length > 0);
  await supervisor.close();
  const source = storeSource(store);
  onTestFinished(() => source.close());
  const { series, admission } = asking(source)<ResourcesView>('resources');
  expect(admission).toBe('open');
  const heap = series.find(({ name }) => name === 'heap');
  expect(heap).toMatchObject({ unit: 'bytes', level: 'normal', forecast: null, samples: [{ value: heap?.value }] });
});

/** Puts settled actions into a store, of which one in a hundred has failed. */
function settle(path: string, count: number): void {
  const db = new Database(path);
  db.function('perdure_turn', () => 1);
  const columns = (db.prepare('select name from pragma_table_info(?)').pluck().all('actions') as string[]).filter(
    (name) => !['seq', 'id', 'kind', 'submitted_at', 'settled_at', 'error'].includes(name),
  );
  const now = Date.now();
  db.prepare(
    `with recursive n(i) as (select 1 union all select i + 1 from n where i < ${count})
     insert into actions(seq, id, kind, submitted_at, settled_at, error, ${columns.join(', ')})
     select 1000 + i, 'bulk' || i, iif(i % 100 = 0, 'failed', 'ok'), ${now - HOUR} + i, ${now - HOUR} + i + 1,
       iif(i % 100 = 0, '{"message":"no"}', null), ${columns.join(', ')} from n, (select * from actions where id = 'one')`,
  ).run();
  db.close();
}

test('of a hundred thousand settled actions the frequent views look only at what an index finds', async () => {
  const path = quickStore();
  const supervisor = await openInspected(path);
  await populate(supervisor);
  await supervisor.close({ graceMs: 0 });
  settle(path, 100_000);
  const asked = new Set<string>();
  const { of } = Statements.prototype;
  Statements.prototype.of = function (sql) {
    asked.add(sql);
    return of.call(this, sql);
  };
  const source = storeSource(path);
  onTestFinished(() => source.close());
  const view = asking(source);
  try {
    for (const query of [
      {},
      { state: 'running' },
      { state: 'failed' },
      { plan: 'build:1' },
      { search: 'bulk7' },
      { state: 'asking' },
    ])
      view('work', query);
    for (const name of ['overview', 'timeline', 'approvals', 'dead-letters', 'plans', 'budget']) view(name);
  } finally {
    Statements.prototype.of = of;
  }
  const db = new Database(path, { readonly: true });
  onTestFinished(() => void db.close());
  const scans = [...asked].flatMap((sql) => {
    const plan = db.prepare(`explain query plan ${sql}`).all(...Array.from(sql.matchAll(/\?/g), () => 1)) as {
      detail: string;
    }[];
    return plan
      .filter(({ detail }) => /^SCAN (actions|a|steps|past|plans)\b(?!.*USING)/.test(detail))
      .map(({ detail }) => [detail, sql]);
  });
  // The newest plans are found by going back from the end.
  expect(scans.filter(([, sql]) => !/order by seq desc/.test(sql ?? ''))).toEqual([]);
  expect(asked.size).toBeGreaterThan(30);
});

test('of much, a page looks at a part: what is found nowhere is said page by page, and what is rare is found', async () => {
  const path = quickStore();
  const supervisor = await openInspected(path);
  await populate(supervisor);
  await supervisor.close({ graceMs: 0 });
  settle(path, 25_000);
  const source = storeSource(path);
  onTestFinished(() => source.close());
  const view = asking(source);
  const found: string[] = [];
  let pages = 0;
  for (let after: number | null = Number.MAX_SAFE_INTEGER; after !== null; pages += 1) {
    const page: Work = view('work', { after, search: 'build:1/' });
    found.push(...page.items.map(({ id }) => id));
    after = page.next;
  }
  expect(found).toEqual(['build:1/b', 'build:1/c', 'build:1/a']);
  expect(pages).toBeGreaterThan(2);
  const window = view<Timeline>('timeline', { from: Date.now() - 2 * HOUR, to: Date.now() - HOUR + MINUTE, limit: 10 });
  expect([window.rows.length, window.more]).toEqual([10, true]);
});
