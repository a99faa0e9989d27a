/** The real figures of this process, and what becomes of those that cannot be had. */
import { mkdirSync, statfsSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { afterEach, expect, test } from 'vitest';
import { FigureReader, type Figure } from '../../actors/resource-figures.ts';
import { tempFolder, tempStore } from '../support/temp.ts';

const opened: FigureReader[] = [];
afterEach(() => {
  for (const one of opened.splice(0)) one.close();
});

function reader(options: Partial<ConstructorParameters<typeof FigureReader>[0]> = {}): FigureReader {
  const made = new FigureReader({ store: tempStore(), ...options });
  opened.push(made);
  return made;
}

test('every figure is within its limit, and what is held in memory is seen', async () => {
  const figures = reader();
  const before = await figures.read();
  for (const [name, { value, limit }] of Object.entries(before)) {
    if (name !== 'disk') expect(value, name).toBeGreaterThanOrEqual(0);
    if (name !== 'loopDelay' && name !== 'cpu') expect(value, name).toBeLessThanOrEqual(limit);
  }
  const hoard = Array.from({ length: 400_000 }, (_, i) => ({ i }));
  const after = await figures.read();
  expect((after.heap?.value ?? 0) - (before.heap?.value ?? 0)).toBeGreaterThan(8 * hoard.length);
  expect(figures.problems).toEqual([]);
});

test('how late the event loop is, and how busy, is of the time since the last reading', async () => {
  const figures = reader();
  await figures.read();
  for (let n = 0; n < 10; n++) {
    const until = performance.now() + 60;
    while (performance.now() < until);
    await new Promise((resolve) => setImmediate(resolve));
  }
  const busy = await figures.read();
  expect(busy.loopDelay?.value).toBeGreaterThan(20);
  expect(busy.loopUtilization?.value).toBeGreaterThan(0.5);
  expect(busy.cpu?.value).toBeGreaterThan(0);
});

test('the machine is asked meanwhile, and its figures are there when it has answered', async () => {
  const figures = reader();
  let found = await figures.read();
  expect(found.hostMemory).toBeUndefined();
  while (found.hostMemory === undefined) {
    await new Promise((resolve) => setTimeout(resolve, 100));
    found = await figures.read();
  }
  expect(found.hostMemory.value).toBeGreaterThan(process.memoryUsage.rss() / 2);
  expect(found.hostCpu?.value).toBeGreaterThanOrEqual(0);
  expect(found.hostCpu?.value).toBeLessThanOrEqual(1);
});

test('the least of two limits counts, and of what is guessed the limit that was given', async () => {
  const found = await reader({ limits: { heap: 1e15, disk: 1, wal: 1e12, loopDelay: 7 } }).read();
  expect(found.heap?.limit).toBeLessThan(1e15);
  expect([found.disk?.limit, found.wal?.limit]).toEqual([1, 1e12]);
});

test('of a large disk the last 20 GiB are looked at, all that is free counts, and a limit of your own is its end', async () => {
  const { bavail, bfree, blocks, bsize } = statfsSync(tempFolder());
  const used = (blocks - bfree) * bsize;
  const [disk, own] = await Promise.all(
    [{}, { limits: { disk: used + 1e9 } }].map(async (o) => (await reader(o).read()).disk),
  );
  const room = ({ value, limit }: Figure) => limit - value;
  expect(disk?.limit).toBeLessThanOrEqual(20 * 2 ** 30);
  expect(Math.abs(room(disk as Figure) - bavail * bsize)).toBeLessThan(5e8);
  // Others write to it meanwhile.
  expect(Math.abs(room(own as Figure) - 1e9)).toBeLessThan(5e8);
});

test('the log is measured by its name: none has no size', async () => {
  const store = tempStore();
  const figures = reader({ store });
  expect((await figures.read()).wal?.value).toBe(0);
  writeFileSync(`${store}-wal`, Buffer.alloc(12_345));
  expect((await figures.read()).wal?.value).toBe(12_345);
  writeFileSync(store, '');
  symlinkSync(store, `${store}-link`);
  expect((await reader({ store: `${store}-link` }).read()).wal?.value).toBe(12_345);
  expect(await figures.bytes()).toMatchObject({ wal: 12_345 });
});

test.runIf(process.platform === 'linux')('without /proc figures are absent, and the others are there', async () => {
  const figures = reader({ root: tempFolder() });
  const found = await figures.read();
  expect(found.handles).toBeUndefined();
  expect(found.memory?.value).toBeGreaterThan(0);
  expect(found.heap?.value).toBeGreaterThan(0);
  expect(figures.problems.join('\n')).toContain('The open files cannot be read: ENOENT');
});

/** What a group of this limit says, in which other processes hold 900 million bytes. */
function grouped(limit: number): string {
  const root = tempFolder();
  const files = {
    'proc/self/cgroup': '0::/app\n',
    'proc/self/mountinfo': '30 24 0:26 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n',
    'proc/self/limits': 'Max open files            0                 0                 files\n',
    'proc/self/fd/0': '',
    'sys/fs/cgroup/app/memory.max': `${limit}\n`,
    'sys/fs/cgroup/app/memory.current': '900000000\n',
  };
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(dirname(join(root, name)), { recursive: true });
    writeFileSync(join(root, name), text);
  }
  return root;
}

test('limits of 0 are told once: memory is of the host then, and what has no other limit is absent', async () => {
  const figures = reader({ root: grouped(0) });
  const found = await figures.read();
  await figures.read();
  expect(found.memory?.value).toBeLessThan(900e6);
  expect(found.memory?.limit).toBeGreaterThan(100e6);
  expect(found.handles).toBeUndefined();
  expect(figures.problems).toEqual([
    expect.stringContaining('memory.max says 0'),
    'The limit of handles cannot be gone by: it is 0',
  ]);
});

test('a limit of memory of your own is of this process, and its group counts where that is nearer to its own', async () => {
  const memory = async (root: string) => (await reader({ root, limits: { memory: 800e6 } }).read()).memory;
  const own = await memory(grouped(1e12));
  expect(own?.limit).toBe(800e6);
  expect(own?.value).toBeLessThan(800e6);
  expect(Math.abs((own?.value ?? 0) - process.memoryUsage.rss())).toBeLessThan(50e6);
  expect(await memory(grouped(901e6))).toEqual({ value: 900e6, limit: 901e6 });
});

test('a folder that cannot be asked leaves its disk out', async () => {
  const figures = reader({ store: `${tempFolder()}/gone/work.db` });
  expect((await figures.read()).disk).toBeUndefined();
  expect(figures.problems.join('\n')).toContain('The disk of the store cannot be read: ENOENT');
});
