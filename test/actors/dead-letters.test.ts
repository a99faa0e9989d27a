/** What has failed for good: it stays, is queued again, or is put away. */
import { spawn } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { defineAction } from '../../actors/actions.ts';
import { spawnSupervisor } from '../../actors/spawn.ts';
import { crash } from '../../persistence/crash.ts';
import { SimulatedClock } from '../../persistence/simulated-clock.ts';
import { failStore } from '../../testing/fail-store.ts';
import { bundle } from '../support/bundle.ts';
import { START, inTime, open } from '../support/pipeline.ts';
import { quickStore, tempFolder } from '../support/temp.ts';
import { settle, until } from '../support/turns.ts';

interface Task {
  readonly n: number;
}

/** Work that fails as long as it is told to. */
function moody() {
  const mood = { isBad: true, runs: 0 };
  const work = defineAction({
    run: ({ n }: Task) => {
      mood.runs += 1;
      if (mood.isBad) throw new Error(`bad ${n}`);
      return n * 10;
    },
    retry: { attempts: 1 },
  });
  return { mood, work };
}

test('an action that failed for good is a dead letter until it is queued again; the outcome is that of the new round', async () => {
  const [clock, store, { mood, work }] = [new SimulatedClock(START), quickStore(), moody()];
  const first = await open(clock, { store, actions: { work } });
  const { outcome } = await first.submit('work', { n: 4 }, { id: 'four' });
  expect((await outcome).kind).toBe('failed');
  crash(first.durable);
  const second = await open(clock, { store, actions: { work } });
  onTestFinished(() => second.close());
  expect(second.deadLetters.list()).toEqual([
    {
      id: 'four',
      name: 'work',
      version: '1',
      plan: null,
      error: expect.objectContaining({ message: 'bad 4' }),
      attempts: 1,
      round: 1,
      submittedAt: START,
      failedAt: START,
    },
  ]);
  mood.isBad = false;
  await second.deadLetters.requeue('four');
  const again = await second.submit('work', { n: 4 }, { id: 'four' });
  expect(await again.outcome).toMatchObject({ kind: 'ok', value: 40, attempts: 1 });
  expect(second.deadLetters.list()).toEqual([]);
  expect(mood.runs).toBe(2);
});

test('a round that fails is a dead letter again, and counted', async () => {
  const { mood, work } = moody();
  await using supervisor = await open(new SimulatedClock(START), { actions: { work } });
  await supervisor.execute('work', { n: 1 }, { id: 'x' });
  for (const round of [2, 3]) {
    await supervisor.deadLetters.requeue(['x']);
    expect((await supervisor.execute('work', { n: 1 }, { id: 'x' })).kind).toBe('failed');
    expect(supervisor.deadLetters.list()).toMatchObject([{ id: 'x', round, attempts: 1 }]);
  }
  expect(mood.runs).toBe(3);
});

test('dead letters are listed a page after the other, also when a page was queued again', async () => {
  const { mood, work } = moody();
  await using supervisor = await open(new SimulatedClock(START), { actions: { work } });
  for (let n = 0; n < 25; n++) await supervisor.execute('work', { n }, { id: `w${n}` });
  mood.isBad = false;
  const seen: string[] = [];
  for (let page = supervisor.deadLetters.list({ limit: 10 }); page.length > 0;) {
    const ids = page.map(({ id }) => id);
    seen.push(...ids);
    await supervisor.deadLetters.requeue(ids);
    page = supervisor.deadLetters.list({ limit: 10, after: ids.at(-1) as string });
  }
  expect(seen).toEqual(Array.from({ length: 25 }, (_, n) => `w${n}`));
  await until(() => supervisor.stats().outcomes.ok === 25);
  expect(supervisor.deadLetters.list()).toEqual([]);
});

test('one that is discarded is no dead letter any more, and keeps its outcome', async () => {
  const { work } = moody();
  await using supervisor = await open(new SimulatedClock(START), { actions: { work } });
  await supervisor.execute('work', { n: 1 }, { id: 'x' });
  await supervisor.deadLetters.discard('x');
  expect(supervisor.deadLetters.list()).toEqual([]);
  expect((await supervisor.execute('work', { n: 1 }, { id: 'x' })).kind).toBe('failed');
  for (const again of [supervisor.deadLetters.requeue('x'), supervisor.deadLetters.discard('x')])
    await expect(again).rejects.toMatchObject({ code: 'DEAD_LETTER_NOT_FOUND' });
});

test('a step of a plan is one, and is given another round with its plan', async () => {
  const { work } = moody();
  await using supervisor = await open(new SimulatedClock(START), { actions: { work } });
  const plan = await supervisor.plan({ id: 'p', steps: [{ id: 's', action: 'work', input: { n: 1 } }] });
  await plan.outcome;
  expect(supervisor.deadLetters.list()).toMatchObject([{ id: 'p/s', plan: 'p' }]);
  const requeued = supervisor.deadLetters.requeue('p/s');
  await expect(requeued).rejects.toMatchObject({
    code: 'ACTION_CONFLICT',
    message: expect.stringMatching(/`perdure retry p`.*retryPlan\("p"\)/),
  });
});

test('what is no dead letter is refused with the reason, and then none of the others is queued', async () => {
  const { mood, work } = moody();
  await using supervisor = await open(new SimulatedClock(START), { actions: { work } });
  await supervisor.execute('work', { n: 1 }, { id: 'bad' });
  mood.isBad = false;
  await supervisor.execute('work', { n: 1 }, { id: 'good' });
  const { deadLetters } = supervisor;
  await expect(deadLetters.requeue(['bad', 'good'])).rejects.toThrow('the action is ok');
  await expect(deadLetters.requeue('other')).rejects.toThrow('there is no such action');
  await expect(deadLetters.requeue([1] as never)).rejects.toMatchObject({ code: 'OPTIONS_INVALID' });
  expect(() => deadLetters.list({ limit: 0 })).toThrow('limit must be a whole number from 1');
  expect(() => deadLetters.list({ limt: 1 } as never)).toThrow('did you mean "limit"?');
  expect(() => deadLetters.list({ after: 'gone' })).toThrow('There is no action "gone" to list dead letters after');
  expect(deadLetters.list()).toHaveLength(1);
});

test('a new version of the code does the new round of what the old one failed of', async () => {
  const [clock, store, { work }] = [new SimulatedClock(START), quickStore(), moody()];
  const first = await open(clock, { store, actions: { work } });
  await first.execute('work', { n: 1 }, { id: 'x' });
  await first.close();
  const mended = defineAction({ run: () => 'mended', version: '2' });
  await using second = await open(clock, { store, actions: { work: mended } });
  await second.deadLetters.requeue('x');
  await until(() => second.deadLetters.list().length === 0 && second.stats().outcomes.ok === 1);
});

/** An action that never ends by itself. */
const endless = () =>
  defineAction({
    run: (_: null, { signal }) =>
      new Promise<never>((_resolve, reject) => signal.addEventListener('abort', () => reject(signal.reason as Error))),
  });

test('H16: an attempt that is under way at the third crash is not begun again; a close in order does not count', async () => {
  const [clock, store, actions] = [new SimulatedClock(START), quickStore(), { endless: endless() }];
  let supervisor = await open(clock, { store, actions });
  await supervisor.submit('endless', null, { id: 'x' });
  for (const end of ['crash', 'close', 'close', 'crash', 'close', 'close'] as const) {
    await until(() => supervisor.stats().queue.running === 1);
    if (end === 'crash') crash(supervisor.durable);
    else await supervisor.close({ graceMs: 0 });
    supervisor = await open(clock, { store, actions });
  }
  expect(supervisor.deadLetters.list()).toEqual([]);
  crash(supervisor.durable);
  await using last = await open(clock, { store, actions });
  await until(() => last.deadLetters.list().length === 1);
  expect(last.deadLetters.list()).toMatchObject([
    { id: 'x', error: { code: 'ATTEMPT_INTERRUPTED', class: 'permanent' } },
  ]);
  await last.deadLetters.requeue('x');
  expect(last.stats().queue.running).toBe(1);
});

test('a tree that is read back from the file in the same process interrupts nobody', async () => {
  const [clock, store, actions] = [
    new SimulatedClock(START),
    quickStore(),
    { endless: endless(), quick: defineAction({ run: () => 1 }) },
  ];
  const supervisor = await open(clock, { store, actions });
  onTestFinished(() => supervisor.close({ graceMs: 0 }));
  await supervisor.submit('endless', null, { id: 'x' });
  for (let time = 0; time < 5; time++) {
    const reopened = new Promise<void>((resolve) => {
      const { unsubscribe } = supervisor.durable.on('reopened', () => (unsubscribe(), resolve()));
    });
    const failure = failStore(supervisor.durable.store, 'read-only', { times: 1 });
    await supervisor.submit('quick', undefined).catch(() => {});
    failure.clear();
    await inTime(clock, reopened);
    await settle();
  }
  expect(supervisor.deadLetters.list()).toEqual([]);
  expect(supervisor.stats().queue.running).toBe(1);
});

const SUICIDE = `
import { appendFileSync } from 'node:fs';
import { defineAction, spawnSupervisor } from 'PACKAGE';
const [store, notes] = process.argv.slice(2);
const note = (text) => appendFileSync(notes, text + '\\n');
const kills = defineAction({ run: () => { note('kills'); process.kill(process.pid, 'SIGKILL'); }, retry: { attempts: 5 } });
const works = defineAction({ run: (_, { id }) => { note(id); return id; } });
const supervisor = await spawnSupervisor({ store, actions: { kills, works }, concurrency: 1 });
const bad = await supervisor.submit('kills', null, { id: 'bad' });
const good = await supervisor.submit('works', null, { id: 'good' });
const { kind, error } = await bad.outcome;
await good.outcome;
note(kind + ' ' + error.code + ' ' + supervisor.deadLetters.list().map(({ id }) => id).join());
await supervisor.close();
`;

test('H16: an action that kills its process three times is a dead letter, and what waited behind it runs', async () => {
  const folder = tempFolder();
  const [script, notes] = [join(folder, 'suicide.mjs'), join(folder, 'notes')];
  writeFileSync(script, SUICIDE.replace('PACKAGE', join(bundle(), 'index.js')));
  const lives: (string | number | null)[] = [];
  while (lives.at(-1) !== 0 && lives.length < 6) {
    const child = spawn(process.execPath, [script, join(folder, 'work.db'), notes], { stdio: 'inherit' });
    lives.push(await new Promise((resolve) => child.once('exit', (code, signal) => resolve(code ?? signal))));
  }
  expect(lives).toEqual(['SIGKILL', 'SIGKILL', 'SIGKILL', 0]);
  expect(readFileSync(notes, 'utf8').trim().split('\n')).toEqual([
    'kills',
    'kills',
    'kills',
    'good',
    'failed ATTEMPT_INTERRUPTED bad',
  ]);
}, 60_000);

test('how often is as the host says', async () => {
  const actions = { endless: endless() };
  for (const wrong of [0, 1.5, -1, NaN, '3'])
    await expect(spawnSupervisor({ store: quickStore(), actions, maxInterruptions: wrong as number })).rejects.toThrow(
      'maxInterruptions must be a whole number from 1, or Infinity',
    );
  const [clock, store] = [new SimulatedClock(START), quickStore()];
  const first = await open(clock, { store, actions, maxInterruptions: 1 });
  await first.submit('endless', null, { id: 'x' });
  await until(() => first.stats().queue.running === 1);
  crash(first.durable);
  await using second = await open(clock, { store, actions, maxInterruptions: 1 });
  await until(() => second.deadLetters.list().length === 1);
});
