import { expect, test } from 'vitest';
import type { InspectionEvent } from 'xstate';
import { Registry, defineAction } from '../../actors/actions.ts';
import { queueActions } from '../../actors/queue.ts';
import { TABLES } from '../../actors/spawn.ts';
import { submissionOf } from '../../actors/submissions.ts';
import { NO_LIMITS } from '../../actors/queue-options.ts';
import { budgetPolicy } from '../../machines/budget-policy.ts';
import type { ActionRow } from '../../actors/queue-tables.ts';
import type { Supervisor, SubmitOptions } from '../../actors/supervisor.ts';
import type { UrgencyNotice } from '../../machines/executor.ts';
import { CLASS_MS, HORIZON_MS } from '../../machines/urgency.ts';
import { crash } from '../../persistence/crash.ts';
import { SimulatedClock } from '../../persistence/simulated-clock.ts';
import { memoryRows, type Cell } from '../../persistence/rows.ts';
import { HOUR, MINUTE, SECOND, START, inTime, open } from '../support/pipeline.ts';
import { quickStore } from '../support/temp.ts';

/** Actions that take as long as their input says, and in which order they began. */
function work(clock: SimulatedClock) {
  const began: string[] = [];
  const run = (ms: number, { id, signal }: { readonly id: string; readonly signal: AbortSignal }) => {
    began.push(id);
    return new Promise<void>((resolve) => {
      clock.setTimeout(resolve, ms);
      signal.addEventListener('abort', () => resolve());
    });
  };
  return { began, actions: { short: defineAction({ run }), long: defineAction({ run }) } };
}

type Working = Supervisor<ReturnType<typeof work>['actions']>;

function submitter(supervisor: Working) {
  return (id: string, options: SubmitOptions = {}, name: 'short' | 'long' = 'short', ms: number = SECOND) =>
    supervisor.execute(name, ms, { id, ...options });
}

function rowOf({ durable }: Working, id: string): ActionRow {
  return durable.store.rows.get<ActionRow>('select * from actions where id = ?', id) as ActionRow;
}

/** What is said of ranks, without their numbers. */
function reasons(supervisor: Working): string[] {
  const told: string[] = [];
  supervisor.on('action.reprioritised', ({ id, from, to, why }) => {
    told.push(`${id} ${to > from ? 'rises' : 'falls'}: ${why}`);
  });
  return told;
}

test('H12, H45: a person who waits goes first, then the class decides, then the least laxity, and undated work comes last', async () => {
  const clock = new SimulatedClock(START);
  const { began, actions } = work(clock);
  await using supervisor = await open(clock, { actions, concurrency: 1 });
  const submit = submitter(supervisor);
  await inTime(clock, supervisor.execute('long', 10 * MINUTE), MINUTE);
  began.length = 0;
  const now = clock.now();
  const all = [
    submit('first'),
    submit('undated'),
    submit('due', { dueAt: now + 30 * MINUTE }),
    submit('due later, but long', { dueAt: now + 35 * MINUTE }, 'long'),
    submit('due later', { dueAt: now + 35 * MINUTE }),
    submit('high', { priority: 'high' }),
    submit('somebody waits', { isAwaited: true, priority: 'low' }),
  ];
  await inTime(clock, Promise.all(all));
  expect(began).toEqual(['first', 'somebody waits', 'high', 'due later, but long', 'due', 'due later', 'undated']);
});

test('H12: under a load of critical work that never ends a low action begins within three classes', async () => {
  const clock = new SimulatedClock(START);
  const { began, actions } = work(clock);
  await using supervisor = await open(clock, { actions, concurrency: 1 });
  const submit = submitter(supervisor);
  const critical = (n: number) => submit(`critical ${n}`, { priority: 'critical' }, 'long', HOUR);
  for (const n of [0, 1, 2]) void critical(n).catch(() => {});
  const low = submit('low', { priority: 'low' });
  const hours = (3 * CLASS_MS + 2 * HORIZON_MS) / HOUR;
  for (let n = 3; n < hours && !began.includes('low'); n++) {
    void critical(n).catch(() => {});
    await clock.advance(HOUR);
  }
  expect(began.at(-1)).toBe('low');
  expect(began.length).toBeGreaterThan((3 * CLASS_MS) / HOUR - 3);
  await inTime(clock, low);
});

test('H45: what waits is as urgent as was said last, also after a crash, and the reason is recorded', async () => {
  const clock = new SimulatedClock(START);
  const store = quickStore();
  const { began, actions } = work(clock);
  let supervisor = await open(clock, { actions, store, concurrency: 1 });
  const told = reasons(supervisor);
  const ids = ['first', 'second', 'third', 'fourth'];
  const submit = submitter(supervisor);
  for (const id of ids) submit(id).catch(() => {});
  await clock.advance(0);
  await supervisor.reprioritise('third', { priority: 'high' });
  await supervisor.reprioritise('third', { dueAt: START + HOUR });
  await supervisor.reprioritise('second', { priority: 'low' });
  expect(told).toEqual(['third rises: request', 'third rises: request', 'second falls: request']);
  expect(rowOf(supervisor, 'third')).toMatchObject({ why: 'request', due_at: START + HOUR });
  expect(JSON.parse(rowOf(supervisor, 'third').urgency as string)).toMatchObject({ priority: 'high' });
  crash(supervisor.durable);
  supervisor = await open(clock, { actions, store, concurrency: 1 });
  await inTime(clock, Promise.all(ids.map((id) => submitter(supervisor)(id))));
  expect(began).toEqual(['first', 'first', 'third', 'fourth', 'second']);
  await supervisor.close();
});

test('a step that is queued becomes more urgent by its id, and keeps what its plan gives it', async () => {
  const clock = new SimulatedClock(START);
  const { began, actions } = work(clock);
  await using supervisor = await open(clock, { actions, concurrency: 1 });
  const step = (id: string, after: readonly string[] = []) => ({ id, action: 'short', input: 1, after });
  const { outcome } = await supervisor.plan({
    id: 'plan',
    dueAt: START + HOUR,
    steps: [step('a'), step('b'), step('long-way'), step('end', ['long-way'])],
  });
  const other = submitter(supervisor)('other', { isAwaited: true });
  await clock.advance(0);
  const { rank } = rowOf(supervisor, 'plan/a');
  await supervisor.reprioritise('plan/b', { isAwaited: true });
  await supervisor.reprioritise('plan/a', { priority: 'low' });
  expect(rowOf(supervisor, 'plan/a')).toMatchObject({
    due_at: START + HOUR,
    why: 'request',
    rank: rank - CLASS_MS,
  });
  await inTime(clock, Promise.all([outcome, other]));
  expect(began).toEqual(['plan/long-way', 'plan/b', 'other', 'plan/end', 'plan/a']);
});

test('a step that the end of another frees goes before all that is less urgent', async () => {
  const clock = new SimulatedClock(START);
  const { began, actions } = work(clock);
  await using supervisor = await open(clock, { actions, concurrency: 1 });
  const step = (id: string, after: readonly string[] = []) => ({ id, action: 'short', input: 1, after });
  const { outcome } = await supervisor.plan({ id: 'plan', steps: [step('a'), step('b', ['a']), step('c', ['b'])] });
  const low = submitter(supervisor)('low', { priority: 'low' });
  await inTime(clock, Promise.all([outcome, low]));
  expect(began).toEqual(['plan/a', 'plan/b', 'plan/c', 'low']);
});

test('of a key the one that becomes more urgent takes the place of the one that waits', async () => {
  const clock = new SimulatedClock(START);
  const { began, actions } = work(clock);
  await using supervisor = await open(clock, { actions, concurrency: 1 });
  const submit = submitter(supervisor);
  const all = ['first', 'a', 'b', 'c'].map((id) => submit(id, id === 'first' ? {} : { key: 'k' }));
  await clock.advance(0);
  const states = () => ['a', 'b', 'c'].map((id) => rowOf(supervisor, id).state);
  expect(states()).toEqual(['waiting', 'held', 'held']);
  await supervisor.reprioritise('c', { isAwaited: true });
  expect(states()).toEqual(['held', 'held', 'waiting']);
  await inTime(clock, Promise.all(all));
  expect(began).toEqual(['first', 'c', 'a', 'b']);
});

test('H45: when work of a name takes another time than was thought, what is due is ranked anew, a thousand rows a turn', async () => {
  const clock = new SimulatedClock(START);
  const { actions } = work(clock);
  const perTurn: number[] = [];
  const inspect = ({ type, event }: InspectionEvent & { readonly event?: unknown }) => {
    const { type: what, notices } = (event ?? {}) as {
      readonly type?: string;
      readonly notices?: readonly UrgencyNotice[];
    };
    if (type !== '@xstate.event' || what !== 'executor.told') return;
    perTurn.push(notices?.filter((notice) => notice.type === 'action.reprioritised').length ?? 0);
  };
  await using supervisor = await open(clock, { actions, concurrency: 1, inspect });
  const told = reasons(supervisor);
  const submit = submitter(supervisor);
  const first = submit('first', {}, 'short', MINUTE);
  const count = 2_500;
  const dueAt = START + HOUR;
  const waiting = Array.from({ length: count }, (_, n) => submit(`${n}`, { dueAt }));
  const others = [submit('undated'), submit('of another name', { dueAt }, 'long')];
  for (const outcome of [...waiting, ...others]) outcome.catch(() => {});
  await clock.advance(SECOND);
  const paused = supervisor.pause();
  await inTime(clock, Promise.all([first, paused]));
  await clock.advance(SECOND);
  // Each turn tells the executor, and the executor its parent.
  expect(perTurn.filter((n, at) => n > 0 && at % 2 === 0)).toEqual([1_000, 1_000, 500]);
  expect(told).toHaveLength(count);
  expect(told).toContain('7 rises: estimate');
  expect(rowOf(supervisor, '7').estimate_ms).toBe(MINUTE);
  expect(rowOf(supervisor, 'of another name').why).toBe(null);
  expect(rowOf(supervisor, 'undated').why).toBe(null);
});

test('what does not wait, or is none, is not ranked: told with the reason, and nothing changes', async () => {
  const clock = new SimulatedClock(START);
  const { actions } = work(clock);
  await using supervisor = await open(clock, { actions, concurrency: 1 });
  const submit = submitter(supervisor);
  await inTime(clock, submit('done'));
  const { outcome: ofPlan } = await supervisor.plan({
    id: 'plan',
    steps: [
      { id: 'one', action: 'short', input: 1 },
      { id: 'two', action: 'short', input: 1, after: ['one'] },
    ],
  });
  const waiting = submit('waiting');
  await clock.advance(0);
  const ask = (id: string, options: object) =>
    supervisor.reprioritise(id, options).then(
      () => 'done',
      ({ code, message }: { code: string; message: string }) => `${code} ${message}`,
    );
  expect(await ask('none', { priority: 'high' })).toMatch(/^ACTION_NOT_FOUND .*"none"/);
  expect(await ask('done', { priority: 'high' })).toMatch(/^ACTION_CONFLICT .*its outcome is ok/);
  expect(await ask('plan/one', { priority: 'high' })).toMatch(/^ACTION_CONFLICT .*it runs already/);
  expect(await ask('plan/two', { priority: 'high' })).toMatch(/^ACTION_CONFLICT .*step of a plan/);
  expect(await ask('waiting', {})).toMatch(/^OPTIONS_INVALID .*at least one of priority, dueAt/);
  expect(await ask('waiting', { prioritiy: 'high' })).toMatch(/^OPTIONS_INVALID .*did you mean "priority"/);
  expect(await ask('waiting', { dueAt: START - 1 })).toMatch(/^OPTIONS_INVALID .*dueAt has passed/);
  expect(await ask('waiting', { dueAt: null })).toMatch(/^OPTIONS_INVALID .*dueAt must be a Date, .* got null/);
  expect(rowOf(supervisor, 'waiting')).toMatchObject({ why: null, urgency: null });
  await inTime(clock, Promise.all([ofPlan, waiting]));
});

test('work without due times costs no statement for them, and one look while others have some', () => {
  const clock = new SimulatedClock(START);
  const { actions } = work(clock);
  const rows = memoryRows(TABLES);
  const asked: string[] = [];
  for (const name of ['get', 'all', 'run'] as const) {
    const ask = rows[name].bind(rows) as (sql: string, ...cells: Cell[]) => unknown;
    Object.assign(rows, { [name]: (sql: string, ...cells: Cell[]) => (asked.push(sql), ask(sql, ...cells)) });
  }
  const registry = new Registry(actions);
  const queue = queueActions({ rows, registry, clock, budget: budgetPolicy() });
  const args = { self: { send: () => {} } };
  const submission = (id: string, name: string, options: object) =>
    submissionOf({ rows, registry, limits: NO_LIMITS }, name, 1, { id, ...options }, START);
  const result = { kind: 'ok', attempts: 1, qualityLoss: 0, workMs: 1, band: 'immediate', score: 1, raw: 1 } as const;
  /** What an action of its own asks for, from its being queued to its outcome. */
  const costOf = (id: string) => {
    asked.length = 0;
    queue.putQueued(args, { submissions: [submission(id, 'short', {})] });
    queue.claim(args, { limit: 1, freezesOptional: false });
    queue.putOutcome(args, { id, at: START + 1, result });
    return asked.length;
  };
  costOf('first');
  const cost = costOf('alone');
  expect(asked.filter((sql) => /review_at <|estimate_of =/.test(sql))).toEqual([]);
  queue.putQueued(args, {
    submissions: [submission('due', 'long', { dueAt: START + HOUR, notBefore: START + MINUTE })],
  });
  expect(costOf('beside it')).toBe(cost + 1);
});
