/** Copies of stores that are in use, and what becomes of whoever goes on from one. */
import Database from 'better-sqlite3';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { copyFileSync, existsSync, mkdirSync, readdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { afterEach, expect, test } from 'vitest';
import { assign, fromPromise, setup } from 'xstate';
import { backUpBeside } from '../../persistence/backup.ts';
import { systemClock } from '../../persistence/clock.ts';
import { crash } from '../../persistence/crash.ts';
import { createDurableActor } from '../../persistence/create.ts';
import type { DurableActor } from '../../persistence/durable.ts';
import { effectOf } from '../../persistence/effects.ts';
import { examine } from '../../persistence/health.ts';
import { acceptOlder } from '../../persistence/repair.ts';
import { Store } from '../../persistence/store.ts';
import { failStore } from '../../testing/fail-store.ts';
import { tempFolder, tempStore } from '../support/temp.ts';

const fill = 'x'.repeat(100);
const counter = setup({
  types: {} as { context: { a: number; b: number; pages: Record<number, string> }; events: { type: 'count' } },
}).createMachine({
  id: 'counter',
  context: { a: 0, b: 0, pages: {} },
  on: {
    // Two numbers that are always the same in a committed turn, and enough pages for many steps of a copy.
    count: {
      actions: assign({
        a: ({ context }) => context.a + 1,
        b: ({ context }) => context.b + 1,
        pages: ({ context }) => ({ ...context.pages, [context.a % 300]: fill }),
      }),
    },
  },
});

type Counter = DurableActor<typeof counter>;
const opened: { close(): unknown }[] = [];
afterEach(async () => {
  for (const one of opened.splice(0)) await one.close();
});

async function count(store: string | Store, history = false): Promise<Counter> {
  const durable = await createDurableActor(counter, { store, history });
  opened.push(durable);
  return durable;
}

/** Sends until it is told to stop; gives how many were acknowledged. */
function busy(durable: Counter): { stop: () => Promise<number> } {
  let running = true;
  let sent = 0;
  const sending = (async () => {
    while (running) {
      await durable.send({ type: 'count' });
      sent += 1;
    }
  })();
  return { stop: () => ((running = false), sending.then(() => sent)) };
}

const beside = (path: string) => readdirSync(dirname(path)).filter((name) => name.startsWith(basename(path)));

async function expectWhole(copy: string, atLeast: number): Promise<void> {
  expect(examine(copy)).toMatchObject({ findings: [], isCopy: true, counts: { trees: 1, actors: 1 } });
  const durable = await count(copy);
  const { a, b } = durable.getSnapshot().context;
  expect(a).toBe(b);
  expect(a).toBeGreaterThanOrEqual(atLeast);
  await durable.send({ type: 'count' });
  expect(examine(copy)).toMatchObject({ findings: [], isCopy: false });
}

test('a copy that is made while turns go on is one commit: it opens, is sound, and holds all from before it began', async () => {
  const durable = await count(tempStore(), true);
  for (let n = 0; n < 300; n++) await durable.send({ type: 'count' });
  const work = busy(durable);
  const copy = join(tempFolder(), 'copy.db');
  const told: number[] = [];
  // Slower than the store grows: the copy ends all the same.
  await durable.store.backup(copy, { pages: 1, progress: ({ remainingPages }) => void told.push(remainingPages) });
  expect(await work.stop()).toBeGreaterThan(20);
  expect(told.length).toBeGreaterThan(0);
  expect(told).toEqual([...told].sort((a, b) => b - a));
  expect(beside(copy)).toEqual(['copy.db']);
  await expectWhole(copy, 300);
});

test('a copy from beside ends although the owner never rests', async () => {
  const path = tempStore();
  const durable = await count(path, true);
  for (let n = 0; n < 300; n++) await durable.send({ type: 'count' });
  const work = busy(durable);
  const copy = join(tempFolder(), 'copy.db');
  await backUpBeside(path, copy, { pages: 2 }, systemClock.now());
  expect(await work.stop()).toBeGreaterThan(20);
  await expectWhole(copy, 300);
});

test('two copies to one target at once: one of them is there, whole, and the other says why not', async () => {
  const durable = await count(tempStore());
  await durable.send({ type: 'count' });
  const copy = join(tempFolder(), 'copy.db');
  const both = await Promise.allSettled([durable.store.backup(copy), durable.store.backup(copy)]);
  expect(both.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected']);
  expect(both.find(({ status }) => status === 'rejected')).toMatchObject({ reason: { code: 'BACKUP_FAILED' } });
  expect(beside(copy)).toEqual(['copy.db']);
  await expectWhole(copy, 1);
});

test.each(['copy.db', 'copy.db-wal', 'copy.db-journal'])('writes nothing where %s is already', async (name) => {
  const durable = await count(tempStore());
  const folder = tempFolder();
  writeFileSync(join(folder, name), 'theirs');
  await expect(durable.store.backup(join(folder, 'copy.db'))).rejects.toMatchObject({
    code: 'BACKUP_FAILED',
    message: expect.stringContaining(join(folder, name)) as string,
  });
  expect(readdirSync(folder)).toEqual([name]);
  expect(readFileSync(join(folder, name), 'utf8')).toBe('theirs');
});

test('leaves nothing behind when it is aborted, when its listener throws, and when the store is closed', async () => {
  const durable = await count(tempStore());
  for (let n = 0; n < 100; n++) await durable.send({ type: 'count' });
  const copy = join(tempFolder(), 'copy.db');
  const stop = new AbortController();
  const aborted = durable.store.backup(copy, { pages: 1, signal: stop.signal, progress: () => stop.abort() });
  await expect(aborted).rejects.toMatchObject({ code: 'ABORTED' });
  await expect(durable.store.backup(copy, { signal: AbortSignal.abort() })).rejects.toMatchObject({ code: 'ABORTED' });
  const thrown = durable.store.backup(copy, {
    progress: () => {
      throw new Error('no');
    },
  });
  await expect(thrown).rejects.toMatchObject({
    code: 'BACKUP_FAILED',
    message: expect.stringContaining('no') as string,
  });
  await expect(durable.store.backup(join(copy, 'nowhere'))).rejects.toMatchObject({ code: 'BACKUP_FAILED' });
  await expect(durable.store.backup(copy, { pages: 0 })).rejects.toMatchObject({ code: 'OPTIONS_INVALID' });
  const closed = durable.store.backup(copy, { pages: 1, progress: () => void durable.close() });
  await expect(closed).rejects.toMatchObject({ code: 'BACKUP_FAILED' });
  expect(readdirSync(dirname(copy))).toEqual([]);
});

test('what goes wrong while it is copied is told, and leaves nothing behind', async () => {
  const path = tempStore();
  const durable = await count(path);
  const folder = tempFolder();
  const [elsewhere, copy] = [join(tempFolder(), 'elsewhere.db'), join(folder, 'copy.db')];
  renameSync(path, elsewhere);
  const failing = durable.store.backup(copy);
  await expect(failing).rejects.toMatchObject({
    code: 'BACKUP_FAILED',
    facts: { target: copy },
    cause: { code: 'SQLITE_CANTOPEN' },
  });
  renameSync(elsewhere, path);
  expect(readdirSync(folder)).toEqual([]);
});

test('a store that fails while it is copied opens again without waiting for the copy, which is given up', async () => {
  const path = tempStore();
  const durable = await count(path);
  const db = new Database(path);
  // At its pace a copy of that takes a second and more.
  db.exec('create table ballast(bytes); insert into ballast values (zeroblob(32000000))');
  db.close();
  const folder = tempFolder();
  let began = () => {};
  const copying = new Promise<void>((resolve) => (began = resolve));
  const failing = durable.store.backup(join(folder, 'copy.db'), { progress: () => began() });
  const outcome = expect(failing).rejects.toMatchObject({ code: 'BACKUP_FAILED', cause: { code: 'STORE_CLOSED' } });
  await copying;
  const reopened = new Promise((resolve) => durable.on('reopened', resolve));
  const failedAt = performance.now();
  failStore(durable.store, 'full', { times: 1 });
  await expect(durable.send({ type: 'count' })).rejects.toMatchObject({ code: 'STORE_FAILED' });
  await reopened;
  // A reader holds up whoever opens the store for five seconds.
  expect(performance.now() - failedAt).toBeLessThan(3_000);
  await outcome;
  expect(readdirSync(folder)).toEqual([]);
  await durable.send({ type: 'count' });
});

/** Tells the key of each effect that it starts. */
function payer(keys: string[]) {
  return setup({
    actors: {
      pay: fromPromise(async ({ self }) => {
        keys.push(effectOf(self)?.key ?? '');
      }),
    },
  }).createMachine({
    id: 'payer',
    initial: 'idle',
    states: { idle: { on: { pay: 'paying' } }, paying: { invoke: { id: 'pay', src: 'pay', onDone: 'idle' } } },
  });
}

test('two stores that go on from one copy, and the one that was copied, never give the same key to two effects', async () => {
  const keys: string[] = [];
  const path = tempStore();
  const copy = join(tempFolder(), 'copy.db');
  let now = Date.now();
  const clock = { ...systemClock, now: () => (now += 1) };
  const pay = async (store: string, id: string) => {
    const durable = await createDurableActor(payer(keys), { store, id, clock });
    const paid = durable
      .waitFor((snapshot) => snapshot.matches('paying'))
      .then(() => durable.waitFor((s) => s.matches('idle')));
    await durable.send({ type: 'pay' } as never);
    await paid;
    return durable;
  };
  const first = await pay(path, 'old');
  await first.store.backup(copy);
  await first.close();
  const another = join(tempFolder(), 'another.db');
  copyFileSync(copy, another);
  for (const store of [path, copy, another, copy]) {
    await (await pay(store, 'old')).close();
    await (await pay(store, 'new')).close();
  }
  expect(keys).toHaveLength(9);
  expect(new Set(keys).size).toBe(9);
});

test('an older copy in the place of the store is refused by name; accepted, it begins a new generation', async () => {
  const path = tempStore();
  const older = join(tempFolder(), 'older.db');
  await (await count(path)).close();
  copyFileSync(path, older);
  const durable = await count(path);
  await durable.send({ type: 'count' });
  crash(durable);
  const newer = join(tempFolder(), 'newer.db');
  for (const end of ['', '-wal', '-shm']) if (existsSync(path + end)) renameSync(path + end, newer + end);
  copyFileSync(older, path);
  expect(() => Store.open(path)).toThrow(
    expect.objectContaining({
      code: 'STORE_OLDER',
      facts: expect.objectContaining({ epoch: expect.any(Number), newest: expect.any(Number) }) as object,
      message: expect.stringContaining('--accept-older') as string,
    }),
  );
  expect(readFileSync(path)).toEqual(readFileSync(older));
  acceptOlder(path, systemClock);
  const accepted = await count(path);
  expect(accepted.getSnapshot().context.a).toBe(0);
  await accepted.close();
  const db = new Database(path, { readonly: true });
  expect(db.prepare('select generation from trees').pluck().get()).toBeGreaterThan(1);
  db.close();
});

test('a backup takes the place of its store, and so does a new store', async () => {
  const path = tempStore();
  const copy = join(tempFolder(), 'copy.db');
  const durable = await count(path);
  await durable.store.backup(copy);
  await durable.send({ type: 'count' });
  await durable.close();
  await (await count(path)).close();
  mkdirSync(join(dirname(path), 'aside'));
  renameSync(path, join(dirname(path), 'aside', 'work.db'));
  copyFileSync(copy, path);
  const back = await count(path);
  expect(back.getSnapshot().context.a).toBe(0);
  await back.close();
  renameSync(path, join(dirname(path), 'aside', 'again.db'));
  expect((await count(path)).getSnapshot().context.a).toBe(0);
});

test('a copy that is killed on its way is never taken for one', async () => {
  const path = tempStore();
  const durable = await count(path);
  for (let n = 0; n < 300; n++) await durable.send({ type: 'count' });
  const target = join(tempFolder(), 'copy.db');
  // What a copy does with SQLite, and then nothing more.
  const program = `
    const db = new (require('better-sqlite3'))(process.argv[1], { readonly: true });
    db.backup(process.argv[2] + '-partial-1-1', { progress: () => (console.log('on its way'), 1) });`;
  const child = spawn(process.execPath, ['-e', program, path, target], { stdio: ['ignore', 'pipe', 'inherit'] });
  await once(child.stdout, 'data');
  child.kill('SIGKILL');
  await once(child, 'exit');
  expect(existsSync(target)).toBe(false);
  await durable.store.backup(target);
  await expectWhole(target, 300);
});
