import { execFileSync } from 'node:child_process';
import { readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import fc from 'fast-check';
import { beforeAll, expect, test } from 'vitest';
import { assign, setup } from 'xstate';
import { createDurableActor } from '../../persistence/create.ts';
import { inspectLog } from '../../persistence/log-check.ts';
import { Store } from '../../persistence/store.ts';
import { tempStore } from '../support/temp.ts';

const FRAME = 24 + 4_096;
const HEADER = 32;

const counter = setup({ types: {} as { context: { count: number }; events: { type: 'count' } } }).createMachine({
  id: 'counter',
  context: { count: 0 },
  on: { count: { actions: assign({ count: ({ context }) => context.count + 1 }) } },
});

/** The log of a store with some commits, as a killed process leaves it. */
let log: Buffer;
/** The database that it belongs to. */
let database: Buffer;
/** The frames before the newest transaction: the last of them committed the one before it. */
let settled: number;

beforeAll(async () => {
  const path = tempStore();
  const durable = await createDurableActor(counter, { store: path });
  for (let n = 0; n < 8; n++) await durable.send({ type: 'count' });
  // By another process: the owner's may not copy its own database.
  for (const end of ['', '-wal']) execFileSync('cp', [`${path}${end}`, `${path}-copy${end}`]);
  log = readFileSync(`${path}-copy-wal`);
  database = readFileSync(`${path}-copy`);
  const frames = (log.length - HEADER) / FRAME;
  const commits = Array.from({ length: frames }, (_, frame) => frame).filter(
    (frame) => log.readUInt32BE(HEADER + frame * FRAME + 4) !== 0,
  );
  settled = (commits.at(-2) as number) + 1;
  await durable.close();
});

function inspect(content: Buffer): ReturnType<typeof inspectLog> {
  const path = tempStore();
  writeFileSync(`${path}-wal`, content);
  return inspectLog(path);
}

test('says nothing of a good log, an empty one, or none', () => {
  expect(inspect(log)).toBeUndefined();
  expect(inspect(Buffer.alloc(0))).toBeUndefined();
  expect(inspectLog(tempStore())).toBeUndefined();
});

test('property: a log that ends anywhere was cut by a crash, and is not damaged', () => {
  fc.assert(
    fc.property(fc.integer({ min: 0, max: log.length }), (length) => {
      expect(inspect(log.subarray(0, length))).toBeUndefined();
    }),
    { numRuns: 50 },
  );
});

test('property: any flipped bit before the newest transaction is found', () => {
  const anyBit = fc.record({ offset: fc.nat(HEADER + settled * FRAME - 1), bit: fc.nat(7) });
  fc.assert(
    fc.property(anyBit, ({ offset, bit }) => {
      const flipped = Buffer.from(log);
      flipped[offset] = (flipped[offset] as number) ^ (1 << bit);
      expect(inspect(flipped)).toBeDefined();
    }),
    { numRuns: 200 },
  );
});

test('any flipped bit in the header of the frame before the newest transaction is found', () => {
  const header = HEADER + (settled - 1) * FRAME;
  const missed = Array.from({ length: 24 * 8 }, (_, bit) => bit).filter((bit) => {
    const flipped = Buffer.from(log);
    const offset = header + Math.floor(bit / 8);
    flipped[offset] = (flipped[offset] as number) ^ (1 << (bit % 8));
    return inspect(flipped) === undefined;
  });
  expect(missed).toEqual([]);
});

test('the log of a store that is opened by a symbolic link is looked at, too', () => {
  const [path, link] = [tempStore(), tempStore()];
  const flipped = Buffer.from(log);
  flipped[HEADER + FRAME - 1] = (flipped[HEADER + FRAME - 1] as number) ^ 1;
  writeFileSync(path, database);
  writeFileSync(`${path}-wal`, flipped);
  symlinkSync(path, link);
  const store = Store.open(link);
  store.flush();
  expect(store.rows.get(`select count(*) as n from incidents where kind = 'log.damaged'`)).toEqual({ n: 1 });
  store.close();
});
