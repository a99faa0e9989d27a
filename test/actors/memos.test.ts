import { rmSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { defineAction } from '../../actors/actions.ts';
import type { ActionStepOptions as StepOptions } from '../../actors/plan-input.ts';
import { spawnSupervisor } from '../../actors/spawn.ts';
import type { Actions } from '../../actors/actions.ts';
import { isPerdureError } from '../../errors.ts';
import { crash } from '../../persistence/crash.ts';
import { tempFolder, tempStore } from '../support/temp.ts';

/** Actions that write down what they did, and a way to run plans of them, each of another id. */
async function setUp(more: Actions = {}) {
  const ran: string[] = [];
  const double = defineAction({
    run: ({ n }: { n: number }, { id }) => {
      ran.push(id);
      return 2 * n;
    },
  });
  const sum = defineAction({
    run: (_: unknown, { results, id }) => {
      ran.push(id);
      return Object.values(results).reduce((all: number, one) => all + Number(one), 0);
    },
  });
  const actions: Actions = { double, sum, ...more };
  const supervisor = await spawnSupervisor({ store: tempStore(), actions });
  let runs = 0;
  const run = async (steps: readonly StepOptions[], policy?: 'continue') => {
    ran.length = 0;
    const id = `run:${(runs += 1)}`;
    const { outcome } = await supervisor.plan({ id, steps, ...(policy === undefined ? {} : { policy }) });
    const { steps: ended, kind } = await outcome;
    const told = Object.entries(ended).map(([step, one]) => [step, [one.outcome?.value, one.outcome?.via]]);
    return { kind, ran: ran.map((one) => one.split('/')[1]), outcomes: Object.fromEntries(told) as object, ended };
  };
  return { supervisor, run };
}

const steps = (n: number, memo: StepOptions['memo'] = true): StepOptions[] => [
  { id: 'a', action: 'double', input: { n }, memo },
  { id: 'b', action: 'double', input: { n: 5 }, memo },
  { id: 'c', action: 'sum', after: ['a', 'b'], memo },
];

test('a step whose input and dependencies are as they were gets the value that it had, and nothing is attempted', async () => {
  const { supervisor, run } = await setUp();
  expect((await run(steps(1))).ran).toEqual(['a', 'b', 'c']);
  const again = await run(steps(1));
  expect(again).toMatchObject({ kind: 'ok', ran: [], outcomes: { a: [2, 'memo'], b: [10, 'memo'], c: [12, 'memo'] } });
  expect(again.ended['c']?.outcome).toMatchObject({ kind: 'ok', attempts: 0, startedAt: null, qualityLoss: 0 });
  const changed = await run(steps(3));
  expect(changed).toMatchObject({
    ran: ['a', 'c'],
    outcomes: { a: [6, undefined], b: [10, 'memo'], c: [16, undefined] },
  });
  // What runs anew and comes to the same changes nothing for who depends on it.
  const same = await run(steps(1).map((step) => (step.id === 'a' ? { ...step, memo: false } : step)));
  expect(same).toMatchObject({ ran: ['a'], outcomes: { c: [12, 'memo'] } });
  await supervisor.close();
});

test('another version of the memo, and a wish to refresh, run the step again', async () => {
  const { supervisor, run } = await setUp();
  await run(steps(1));
  expect((await run(steps(1, { version: '2' }))).ran).toEqual(['a', 'b', 'c']);
  expect((await run(steps(1, { refresh: true }))).ran).toEqual(['a', 'b', 'c']);
  expect((await run(steps(1))).ran).toEqual([]);
  await supervisor.close();
});

test('a step that says nothing is as its action says, and is run where neither does', async () => {
  const { supervisor, run } = await setUp({ kept: defineAction({ memo: true, run: () => 'kept' }) });
  const both: StepOptions[] = [
    { id: 'kept', action: 'kept' },
    { id: 'not', action: 'kept', memo: false },
  ];
  await run(both);
  expect((await run(both)).outcomes).toEqual({ kept: ['kept', 'memo'], not: ['kept', undefined] });
  await supervisor.close();
});

test('a file that is read, and one that was written, must be as it was', async () => {
  const folder = tempFolder();
  const file = join(folder, 'in.txt');
  const out = join(folder, 'out.txt');
  let ran = 0;
  const copy = defineAction({
    run: () => {
      ran += 1;
      writeFileSync(out, `copied`);
    },
  });
  const { supervisor, run } = await setUp({ copy });
  const memo = { files: ['in.txt'], outputs: ['out.txt'], folder };
  const times = async () => {
    const before = ran;
    await run([{ id: 'copy', action: 'copy', memo }]);
    return ran - before;
  };
  expect(await times()).toBe(1); // There is no such file yet.
  writeFileSync(file, 'one');
  expect(await times()).toBe(1);
  expect(await times()).toBe(0);
  writeFileSync(file, 'two');
  expect(await times()).toBe(1);
  writeFileSync(file, 'one');
  expect(await times()).toBe(0);
  rmSync(out);
  expect(await times()).toBe(1);
  writeFileSync(out, 'spoilt');
  expect(await times()).toBe(1);
  expect(await times()).toBe(0);
  await supervisor.close();
});

test('what read a file that changed meanwhile is not remembered, nor what wrote not what it should', async () => {
  const folder = tempFolder();
  let ran = 0;
  const careless = defineAction({
    run: () => {
      ran += 1;
      writeFileSync(join(folder, 'in.txt'), `${ran}`);
    },
  });
  writeFileSync(join(folder, 'in.txt'), '0');
  const { supervisor, run } = await setUp({ careless });
  const changes: StepOptions = { id: 'a', action: 'careless', memo: { files: ['in.txt'], folder } };
  const writesNothing: StepOptions = { id: 'a', action: 'careless', memo: { outputs: ['none.txt'], folder } };
  for (const step of [changes, changes, writesNothing, writesNothing]) await run([step]);
  // The file is as before the first run, of which nothing must have been kept.
  writeFileSync(join(folder, 'in.txt'), '0');
  await run([changes]);
  expect(ran).toBe(5);
  await supervisor.close();
});

test('neither a fallback nor what was built on one is remembered, nor a failure', async () => {
  const ran: string[] = [];
  const poor = defineAction({
    run: (): string => {
      throw new Error('down');
    },
    fallback: () => 'poor',
  });
  const upon = defineAction({ run: (_: unknown, { id }) => void ran.push(id) });
  const fails = defineAction({
    run: (_: unknown, { id }) => {
      ran.push(id);
      throw new Error('fails');
    },
  });
  const { supervisor, run } = await setUp({ poor, upon, fails });
  const three: StepOptions[] = [
    { id: 'poor', action: 'poor', memo: true },
    { id: 'upon', action: 'upon', after: ['poor'], memo: true },
    { id: 'fails', action: 'fails', memo: true },
  ];
  await run(three, 'continue');
  expect((await run(three, 'continue')).ended['poor']?.outcome).toMatchObject({ kind: 'degraded', attempts: 1 });
  expect(ran.map((id) => String(id.split('/')[1])).toSorted()).toEqual(['fails', 'fails', 'upon', 'upon']);
  await supervisor.close();
});

test('nobody is asked about what need not be done, and no component is called for it', async () => {
  const publish = defineAction({ memo: true, impact: 'critical', reversible: false, run: () => 'published' });
  const { supervisor, run } = await setUp({ publish });
  supervisor.on('approval.requested', ({ id }) => void supervisor.approve(id));
  await run([{ id: 'p', action: 'publish' }]);
  const asked: string[] = [];
  supervisor.on('approval.requested', ({ id }) => void asked.push(id));
  expect((await run([{ id: 'p', action: 'publish' }])).outcomes).toEqual({ p: ['published', 'memo'] });
  expect(asked).toEqual([]);
  await supervisor.close();
});

test('memos survive the death of the process, and the summary tells what they saved', async () => {
  const store = tempStore();
  const slow = defineAction({
    run: async () => {
      await new Promise((resolve) => setTimeout(resolve, 30));
      return 'done';
    },
  });
  const plan = (id: string) => ({ id, steps: [{ id: 's', action: 'slow', memo: true }] });
  const first = await spawnSupervisor({ store, actions: { slow } });
  await (
    await first.plan(plan('one'))
  ).outcome;
  crash(first.durable);
  await using second = await spawnSupervisor({ store, actions: { slow } });
  const { summary, steps: ended } = await (await second.plan(plan('two'))).outcome;
  expect(ended['s']?.outcome?.via).toBe('memo');
  expect(summary.unchanged).toEqual(['s']);
  expect(summary.savedMs).toBeGreaterThanOrEqual(25);
});

test('another version of the action is other work', async () => {
  const store = tempStore();
  const plan = (id: string) => ({ id, steps: [{ id: 's', action: 'say', memo: true }] });
  for (const [run, version] of ['1', '2', '1'].entries()) {
    const say = defineAction({ version, run: () => version });
    await using supervisor = await spawnSupervisor({ store, actions: { say } });
    const { steps: ended } = await (await supervisor.plan(plan(`run:${run}`))).outcome;
    expect(ended['s']?.outcome).toMatchObject({ value: version, attempts: run < 2 ? 1 : 0 });
  }
});

test('there are at most 10,000 memos: the longest unused goes first', async () => {
  const { supervisor, run } = await setUp();
  const { rows } = supervisor.durable.store;
  rows.run(
    `with recursive n(i) as (select 1 union all select i + 1 from n where i < 10000)
     insert into memos(key, value, outputs, work_ms, used_at, from_turn) select 'k' || i, null, '', 0, i, ? from n`,
    rows.turn,
  );
  await run([{ id: 'a', action: 'double', input: { n: 1 }, memo: true }]);
  expect(rows.get('select count(*) as n from memos')).toEqual({ n: 10_000 });
  expect(rows.get(`select key from memos where key in ('k1', 'k2')`)).toEqual({ key: 'k2' });
  await supervisor.close();
});

test('what cannot be meant is refused, with what could be', async () => {
  const { supervisor } = await setUp();
  const refused = async (memo: unknown) => {
    try {
      await supervisor.plan({ steps: [{ id: 'a', action: 'double', input: { n: 1 }, memo: memo as boolean }] });
    } catch (error) {
      if (isPerdureError(error)) return error.message;
      throw error;
    }
    return 'taken';
  };
  expect(await refused({ file: ['a'] })).toContain('did you mean "files"');
  expect(await refused({ files: 'a' })).toContain('memo files must be a list');
  expect(await refused('yes')).toContain('memo must be true, false or an object');
  expect(await refused({ version: 2 })).toContain('memo.version must be a text');
  await expect(
    spawnSupervisor({ store: tempStore(), actions: { a: { run: () => 1, memo: 3 as never } } }),
  ).rejects.toThrow('memo must be true');
  await supervisor.close();
});

test('groups and the items of fan-outs are remembered, and the critical path leads through them', async () => {
  const wait = () => new Promise((resolve) => setTimeout(resolve, 20));
  const list = defineAction({ memo: true, run: () => wait().then(() => [1, 2]) });
  const each = defineAction({ memo: true, run: ({ item }: { item: number }) => wait().then(() => item * 2) });
  await using supervisor = await spawnSupervisor({ store: tempStore(), actions: { list, each, last: list } });
  const run = async (id: string) => {
    const phase = [
      { id: 'list', action: 'list' },
      { id: 'each', action: 'each', forEach: { from: 'list' } },
    ];
    const { outcome } = await supervisor.plan({
      id,
      steps: [
        { id: 'phase', steps: phase },
        { id: 'last', action: 'last', after: ['phase'], memo: false },
      ],
    });
    return outcome;
  };
  const first = await run('one');
  expect(first.kind).toBe('ok');
  expect(first.summary.criticalPath.map(({ step }) => step.replace(/\d/, 'n'))).toEqual([
    'phase/list',
    'phase/each[n]',
    'last',
  ]);
  const { summary, steps: ended } = await run('two');
  expect(summary.unchanged.toSorted()).toEqual(['phase/each[0]', 'phase/each[1]', 'phase/list']);
  expect(ended['phase/each']?.outcome?.value).toEqual([2, 4]);
});

test('a step may depend on more than one text can hold, and is remembered all the same', async () => {
  const big = defineAction({ run: (mark: string) => mark.repeat(6e6) });
  const { supervisor, run } = await setUp({ big, lengths: defineAction({ run: () => 'lengths' }) });
  const three = (marks: string): StepOptions[] => [
    ...Array.from(marks).map((mark, n) => ({ id: `s${n}`, action: 'big', input: mark })),
    { id: 'last', action: 'lengths', after: ['s0', 's1', 's2'], memo: true },
  ];
  const via = async (marks: string) => (await run(three(marks))).ended['last']?.outcome?.via;
  expect([await via('abc'), await via('abc'), await via('acb')]).toEqual([undefined, 'memo', undefined]);
  await supervisor.close();
});

test.each<[what: string, after: (n: number) => string[]]>([
  ['side by side', () => []],
  ['one after the other', (n) => (n === 0 ? [] : [`s${n - 1}`])],
])('of 450 steps %s, each turn looks up a hundred, and all get what they had', async (_, after) => {
  const { supervisor, run } = await setUp();
  const { rows } = supervisor.durable.store;
  const many = Array.from({ length: 450 }, (_one, n): StepOptions => {
    return { id: `s${n}`, action: 'double', input: { n }, memo: true, after: after(n) };
  });
  await run(many);
  const before = rows.turn;
  const again = await run(many);
  expect([again.kind, again.ran]).toEqual(['ok', []]);
  const turns = rows.all<{ n: number }>(
    `select count(*) as n from actions where id glob 'run:2/*' and from_turn >= ? group by from_turn`,
    before,
  );
  expect(Math.max(...turns.map(({ n }) => n))).toBeLessThanOrEqual(100);
  expect(turns.reduce((all, { n }) => all + n, 0)).toBe(450);
  await supervisor.close();
});

test('a crash between the turns that look up steps, or while their files are read, loses none of them', async () => {
  const [store, folder] = [tempStore(), tempFolder()];
  writeFileSync(join(folder, 'in'), 'x');
  const actions = { double: defineAction({ run: ({ n }: { n: number }) => 2 * n }) };
  const plan = (id: string) => ({
    id,
    steps: Array.from({ length: 250 }, (_, n) => {
      const memo = n % 2 === 0 ? true : { files: ['in'], folder };
      return { id: `s${n}`, action: 'double', input: { n }, memo };
    }),
  });
  const first = await spawnSupervisor({ store, actions });
  await (
    await first.plan(plan('one'))
  ).outcome;
  await first.plan(plan('two'));
  crash(first.durable);
  await using second = await spawnSupervisor({ store, actions });
  const { kind, summary } = await second.joinPlan('two').outcome;
  expect([kind, summary.unchanged.length]).toEqual(['ok', 250]);
});

test('files that are read for a plan that is retried or amended meanwhile are read again', async () => {
  const folder = tempFolder();
  writeFileSync(join(folder, 'a'), 'old');
  // Still being read when the other has been, for long enough.
  writeFileSync(join(folder, 'b'), '');
  truncateSync(join(folder, 'b'), 128 * 2 ** 20);
  const { supervisor, run } = await setUp();
  const step: StepOptions = { id: 'a', action: 'double', input: { n: 1 }, memo: { files: ['a', 'b'], folder } };
  expect((await run([step])).ran).toEqual(['a']);
  const { outcome } = await supervisor.plan({ id: 'p', steps: [step] });
  // Of what was read first a step would be found unchanged that is not.
  await new Promise((resolve) => setImmediate(resolve));
  writeFileSync(join(folder, 'a'), 'new');
  await supervisor.amendPlan(supervisor.preparePlan({ id: 'p', steps: [step] }), []);
  expect((await outcome).summary.unchanged).toEqual([]);
  await supervisor.close();
});
