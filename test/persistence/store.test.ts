/** Opening, owning and losing the file. Each refusal has a code and names the place; the file is as it was. */
import Database from 'better-sqlite3';
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { assign, setup } from 'xstate';
import { afterAll, expect, test } from 'vitest';
import { createDurableActor } from '../../persistence/create.ts';
import { SCHEMA_VERSION } from '../../persistence/schema.ts';
import { Store } from '../../persistence/store.ts';
import { tempFolder, tempStore } from '../support/temp.ts';

const counter = setup({
  types: {} as { context: { count: number; fill: string }; events: { type: 'count'; bytes?: number } },
}).createMachine({
  id: 'counter',
  context: { count: 0, fill: '' },
  on: {
    count: {
      actions: assign({ count: ({ context }) => context.count + 1, fill: ({ event }) => 'x'.repeat(event.bytes ?? 0) }),
    },
  },
});

async function countOnce(store: string): Promise<number> {
  const durable = await createDurableActor(counter, { store });
  await durable.send({ type: 'count' });
  const { count } = durable.getSnapshot().context;
  await durable.close();
  return count;
}

/** Changes the file behind the runtime's back. */
function alter(path: string, sql: string): void {
  const db = new Database(path);
  db.function('perdure_turn', () => 0);
  db.exec(sql);
  db.close();
}

function refused(path: string, code: string): void {
  expect(() => Store.open(path)).toThrow(expect.objectContaining({ code, message: expect.stringContaining(path) }));
}

test('refuses a store of a newer schema, and leaves it as it is', async () => {
  const path = tempStore();
  await countOnce(path);
  alter(path, 'pragma user_version = 99');
  refused(path, 'STORE_NEWER');
  alter(path, `pragma user_version = ${SCHEMA_VERSION}`);
  expect(await countOnce(path)).toBe(2);
});

test.each([
  ['text', Buffer.from('this is no database '.repeat(500))],
  ['a short file', Buffer.from('x')],
  ['noise after the magic', Buffer.concat([Buffer.from('SQLite format 3\0'), Buffer.alloc(5_000, 0xa5)])],
])('refuses a file that is no database: %s', (_, bytes) => {
  const path = tempStore();
  writeFileSync(path, bytes);
  refused(path, 'STORE_NOT_A_DATABASE');
});

test('refuses the database of another program, and changes nothing in it', () => {
  const path = tempStore();
  alter(path, 'create table theirs(x); insert into theirs values (1)');
  refused(path, 'STORE_FOREIGN');
  const db = new Database(path, { readonly: true });
  expect(db.prepare(`select group_concat(name) from sqlite_schema`).pluck().get()).toBe('theirs');
  expect(db.pragma('journal_mode', { simple: true })).toBe('delete');
  db.close();
});

test('refuses a missing folder, and a folder as the file', () => {
  refused(join(tempFolder(), 'missing', 'work.db'), 'STORE_UNOPENABLE');
  const folder = join(tempFolder(), 'work.db');
  mkdirSync(folder);
  refused(folder, 'STORE_UNOPENABLE');
});

test.each(['', ':memory:'])('refuses the path "%s", which SQLite would keep in memory', (path) => {
  const here = process.cwd();
  process.chdir(tempFolder());
  try {
    refused(path, 'STORE_UNOPENABLE');
  } finally {
    process.chdir(here);
  }
});

test('refuses a second owner in the same process, also under another name, until the first lets go', async () => {
  const path = tempStore();
  const store = Store.open(path);
  refused(path, 'STORE_OWNED');
  const other = join(tempFolder(), 'other.db');
  symlinkSync(path, other);
  refused(other, 'STORE_OWNED');
  store.close();
  expect(await countOnce(path)).toBe(1);
});

/** Holds the store's lock in another process, in the way in which an owner does. */
async function ownElsewhere(path: string): Promise<ReturnType<typeof spawn>> {
  const program = `
    const db = new (require('better-sqlite3'))(process.argv[1] + '-lock', { timeout: 0 });
    db.pragma('locking_mode = EXCLUSIVE');
    db.exec('begin exclusive');
    console.log('owned');
    setInterval(() => {}, 1000);`;
  const child = spawn(process.execPath, ['-e', program, path], { stdio: ['ignore', 'pipe', 'inherit'] });
  await once(child.stdout, 'data');
  return child;
}

test('refuses a store that another process owns, and takes it the moment that one was killed', async () => {
  const path = tempStore();
  await countOnce(path);
  const owner = await ownElsewhere(path);
  refused(path, 'STORE_OWNED');
  owner.kill('SIGKILL');
  await once(owner, 'close');
  expect(await countOnce(path)).toBe(2);
});

test('an owner whose store was taken over commits nothing more', async () => {
  const path = tempStore();
  const durable = await createDurableActor(counter, { store: path });
  alter(path, `update meta set value = value + 1 where key = 'epoch'`);
  await expect(durable.send({ type: 'count' })).rejects.toMatchObject({
    code: 'STORE_STOLEN',
    message: expect.stringContaining(path),
  });
  await durable.close();
  expect(await countOnce(path)).toBe(1);
});

test.each([
  ['the state of an actor', `update actors set snapshot = replace(snapshot, '"count":1', '"count":3')`, 'main'],
  ['the checksum of an actor', `update actors set checksum = checksum + 1`, 'main'],
  ['the name of an actor', `update actors set key = 'niam'`, 'niam'],
  ['the machine of an actor', `update actors set machine = 'other'`, 'main'],
])('refuses a row in which a byte was flipped: %s', async (_, sql, place) => {
  const path = tempStore();
  await countOnce(path);
  alter(path, 'create table backup as select * from actors');
  alter(path, sql);
  await expect(createDurableActor(counter, { store: path })).rejects.toMatchObject({
    code: 'ROW_CORRUPT',
    message: expect.stringContaining(`"${place}"`),
  });
  alter(path, 'delete from actors; insert into actors select * from backup; drop table backup');
  expect(await countOnce(path)).toBe(2);
});

test('refuses the row of a timer in which a byte was flipped', async () => {
  const path = tempStore();
  const machine = setup({}).createMachine({ id: 'm', initial: 'a', states: { a: { after: { 100_000: 'b' } }, b: {} } });
  await (await createDurableActor(machine, { store: path })).close();
  alter(path, 'update timers set due = due - 1');
  await expect(createDurableActor(machine, { store: path })).rejects.toMatchObject({
    code: 'ROW_CORRUPT',
    message: expect.stringMatching(/timer \d+/),
  });
});

test('another program that holds the write lock for too long fails the send by name, and the store opens again', async () => {
  const path = tempStore();
  const durable = await createDurableActor(counter, { store: path });
  const other = new Database(path);
  other.exec('begin immediate');
  await expect(durable.send({ type: 'count' }, { id: 'm1' })).rejects.toMatchObject({
    code: 'STORE_FAILED',
    retryable: true,
    message: expect.stringContaining('locked'),
  });
  other.close();
  await durable.close();
  expect(await countOnce(path)).toBe(1);
});

// What only root can arrange.

const mounts: string[] = [];
// A handle that a refused open left behind would keep its file system busy.
afterAll(() => mounts.forEach((folder) => execFileSync('umount', [folder])));

/** A file system of its own. */
function mount(options: string): string {
  const folder = tempFolder();
  execFileSync('mount', ['-t', 'tmpfs', '-o', options, 'tmpfs', folder], { stdio: 'ignore' });
  mounts.push(folder);
  return folder;
}

const canMount = (() => {
  try {
    const folder = mount('size=64k');
    execFileSync('umount', [folder]);
    mounts.length = 0;
    return true;
  } catch {
    return false;
  }
})();
const withoutMount = canMount ? '' : ' (skipped: needs root, to mount a tmpfs)';

test.skipIf(!canMount)(`says that a file system is read-only, and goes on when it is not${withoutMount}`, async () => {
  const folder = mount('size=4m');
  const path = join(folder, 'work.db');
  await countOnce(path);
  execFileSync('mount', ['-o', 'remount,ro', folder]);
  expect(() => Store.open(path)).toThrow(
    expect.objectContaining({
      code: expect.stringMatching(/^STORE_(READ_ONLY|UNOPENABLE)$/),
      message: expect.stringContaining(path),
    }),
  );
  execFileSync('mount', ['-o', 'remount,rw', folder]);
  expect(await countOnce(path)).toBe(2);
});

test.skipIf(!canMount)(
  `a full disk fails what did not fit, keeps what was acknowledged, and goes on with room${withoutMount}`,
  async () => {
    const folder = mount('size=512k');
    const path = join(folder, 'work.db');
    const durable = await createDurableActor(counter, { store: path });
    let acknowledged = 0;
    const fill = async () => {
      for (;;) {
        await durable.send({ type: 'count', bytes: 20_000 });
        acknowledged += 1;
      }
    };
    await expect(fill()).rejects.toMatchObject({ code: 'STORE_FAILED', message: expect.stringContaining(path) });
    expect(acknowledged).toBeGreaterThan(2);
    await durable.close();
    execFileSync('mount', ['-o', 'remount,size=8m', folder]);
    const again = await createDurableActor(counter, { store: path });
    expect([acknowledged, acknowledged + 1]).toContain(again.getSnapshot().context.count);
    await again.close();
  },
);

const immutable = (() => {
  try {
    const path = tempStore();
    writeFileSync(path, '');
    execFileSync('chattr', ['+i', path], { stdio: 'ignore' });
    execFileSync('chattr', ['-i', path], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
})();

test.skipIf(!immutable)(
  `says that a file may not be written${immutable ? '' : ' (skipped: chattr +i does not work here)'}`,
  async () => {
    const path = tempStore();
    await countOnce(path);
    chmodSync(path, 0o444);
    execFileSync('chattr', ['+i', path]);
    try {
      refused(path, 'STORE_READ_ONLY');
    } finally {
      execFileSync('chattr', ['-i', path]);
    }
    expect(await countOnce(path)).toBe(2);
  },
);
