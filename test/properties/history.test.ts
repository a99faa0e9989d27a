/**
 * A random walk with crashes, refused turns, checkpoints and limits, against two lists that the test keeps: what was
 * acknowledged, and every row as it was when its turn was committed.
 */
import Database from 'better-sqlite3';
import fc from 'fast-check';
import { beforeAll, expect, test, vi } from 'vitest';
import { crash } from '../../persistence/crash.ts';
import { createDurableActor } from '../../persistence/create.ts';
import { rowsAsOf } from '../../persistence/rows-as-of.ts';
import { Statements } from '../../persistence/rows.ts';
import type { TableSpec } from '../../persistence/schema.ts';
import { SimulatedClock } from '../../persistence/simulated-clock.ts';
import type { RetentionLimits } from '../../persistence/versions.ts';
import { richEvents, richMachine } from '../support/rich-machine.ts';
import { quickStore } from '../support/temp.ts';

// The development build warns of every event to an actor that has ended; walks do that all the time.
beforeAll(() => void vi.spyOn(console, 'warn').mockImplementation(() => {}));

const NOTES: TableSpec = { name: 'notes', key: 'page', columns: ['page text primary key', 'words integer not null'] };
const TABLES = ['actors', 'timers', 'outbox', 'notes'] as const;
/** With how many commits versions are looked at. */
const LAG = 16;

type Present = Record<(typeof TABLES)[number], unknown[]>;

function present(reader: Database.Database): Present {
  const all = TABLES.map((table) => [table, reader.prepare(`select * from ${table} order by 1`).all()]);
  return Object.fromEntries(all) as Present;
}

function asOf(statements: Statements, turn: number): Present {
  return Object.fromEntries(TABLES.map((table) => [table, rowsAsOf(statements, { table }, turn)])) as Present;
}

type Step = (typeof richEvents)[number] | number | 'crash' | 'checkpoint' | 'refused' | 'note' | 'pair' | 'repeat';

const steps = fc.array(
  fc.oneof(
    { weight: 8, arbitrary: fc.constantFrom<Step[]>(...richEvents) },
    { weight: 2, arbitrary: fc.integer({ min: 1, max: 60 }) },
    {
      weight: 5,
      arbitrary: fc.constantFrom<Step[]>(
        'crash',
        'checkpoint',
        'checkpoint',
        'checkpoint',
        'refused',
        'note',
        'pair',
        'repeat',
      ),
    },
  ),
  { minLength: 1, maxLength: 120, size: 'max' },
);

const limits: fc.Arbitrary<RetentionLimits> = fc.oneof(
  fc.constant({}),
  fc.record({ maxTurns: fc.integer({ min: 0, max: 12 }) }),
  fc.record({ maxBytes: fc.integer({ min: 0, max: 6_000 }) }),
  fc.record({ maxAgeMs: fc.integer({ min: 0, max: 100 }) }),
);

test(
  'property: history tells every acknowledged turn that is kept, and its rows as they were',
  { timeout: 180_000 },
  () =>
    fc.assert(
      fc.asyncProperty(steps, limits, async (walk, history) => {
        const store = quickStore();
        const clock = new SimulatedClock(1_000_000);
        const open = async () => {
          const durable = await createDurableActor(richMachine, { store, clock, history, durability: 'process-crash' });
          durable.store.declare([NOTES]);
          return durable;
        };
        let durable = await open();
        const reader = new Database(store, { readonly: true });
        const statements = new Statements(reader);
        const known = new Map<number, Present>();
        const acknowledged = new Map<string, number>();
        let sent = 0;
        const send = async (event: { type: string }) => {
          const id = `message-${(sent += 1)}`;
          const { turn } = await durable.send(event as never, { id });
          acknowledged.set(id, turn);
        };
        const take = async (step: Step) => {
          if (step === 'crash') {
            const lost = durable.send({ type: 'poked' }, { id: 'lost' });
            crash(durable);
            await expect(lost).rejects.toMatchObject({ code: 'STORE_CLOSED' });
            durable = await open();
          } else if (step === 'checkpoint') {
            durable.store.rows.nameTurn({ at: clock.now(), reason: 'test' });
            await send({ type: 'poked' });
          } else if (step === 'refused') {
            // Beside a turn that is committed: the batch is undone, and each is run again alone.
            const good = send({ type: 'poked' });
            const bad = durable.send({ type: 'later', delay: Number.NaN } as never, { id: 'refused' });
            await expect(bad).rejects.toMatchObject({ code: 'CODEC_REFUSED' });
            await good;
          } else if (step === 'note') {
            const { rows } = durable.store;
            rows.run(
              `insert into notes values ('a', 1, ?) on conflict do update set words = words + 1, from_turn = excluded.from_turn`,
              rows.turn,
            );
            if (sent % 3 === 0) rows.run(`delete from notes`);
          } else if (step === 'repeat') {
            if (sent === 0) await send({ type: 'poked' });
            const again = await durable.send({ type: 'poked' }, { id: `message-${sent}` });
            expect(again.applied).toBe(false);
          } else if (step === 'pair') await Promise.all([send({ type: 'poked' }), send({ type: 'values' })]);
          else if (typeof step === 'number') await clock.advance(step);
          else await send(step);
        };
        try {
          for (const step of walk) {
            await take(step);
            await new Promise((resolve) => setImmediate(resolve));
            durable.store.flush();
            known.set(durable.store.rows.turn - 1, present(reader));
          }
          const told = [];
          for await (const turn of durable.history()) told.push(turn);
          const numbers = told.map(({ turn }) => turn);
          expect(numbers).toEqual(numbers.toSorted((a, b) => a - b));

          // Never one that was not committed, never one missing, each in the turn that its acknowledgement named.
          const ids = told.flatMap(({ turn, causes }) =>
            causes.flatMap(({ id, isRepeat }) => (id === undefined || isRepeat === true ? [] : [[id, turn]])),
          );
          const floor = numbers[0] ?? Infinity;
          expect(ids).toEqual([...acknowledged].filter(([, turn]) => turn >= floor));

          const named = reader.prepare('select turn from checkpoints').pluck().all() as number[];
          for (const turn of [...numbers, ...named]) {
            const rows = known.get(turn);
            if (rows !== undefined) expect(asOf(statements, turn)).toEqual(rows);
          }

          const { maxTurns, maxAgeMs } = history;
          if (maxTurns !== undefined) expect(numbers.length).toBeLessThanOrEqual(Math.max(1, maxTurns));
          // What nobody sees any more is gone when it was looked at.
          const left = reader.prepare('select min(turn) from turns').pluck().get() as number;
          for (let n = 0; n < 2 * LAG; n++) await send({ type: 'poked' });
          if (maxAgeMs !== undefined) {
            const ages = reader.prepare('select min(at) as first, max(at) as last from turns').get();
            const { first, last } = ages as { first: number; last: number };
            expect(first).toBeGreaterThanOrEqual(last - maxAgeMs);
          }
          for (const table of TABLES) {
            const unseen = reader.prepare(
              `select count(*) from ${table}_past where to_turn <= ?
               and not exists (select 1 from checkpoints where turn >= from_turn and turn < to_turn)`,
            );
            expect(unseen.pluck().get(left)).toBe(0);
          }
        } finally {
          reader.close();
          await durable.close();
        }
      }),
      { numRuns: 250 },
    ),
);
