/**
 * Random walks with crashes, refused turns, checkpoints and restores, in which every committed turn is noted as it was: the
 * state of the tree and every row. Each turn that is kept can be gone back to, in place and in another store.
 */
import Database from 'better-sqlite3';
import fc from 'fast-check';
import { beforeAll, expect, test, vi } from 'vitest';
import { crash } from '../../persistence/crash.ts';
import { createDurableActor } from '../../persistence/create.ts';
import { forkStore } from '../../persistence/fork.ts';
import { forkTree } from '../../persistence/fork-tree.ts';
import { examine } from '../../persistence/health.ts';
import type { TableSpec } from '../../persistence/schema.ts';
import { SimulatedClock } from '../../persistence/simulated-clock.ts';
import { describeTree } from '../support/describe.ts';
import { richEvents, richMachine } from '../support/rich-machine.ts';
import { bytesOf } from '../support/store-bytes.ts';
import { quickStore } from '../support/temp.ts';

// The development build warns of every event to an actor that has ended; walks do that all the time.
beforeAll(() => void vi.spyOn(console, 'warn').mockImplementation(() => {}));

const columns = ['page text primary key', 'words integer not null'];
const NOTES: TableSpec = { name: 'notes', key: 'page', columns };
const LEARNED: TableSpec = { name: 'learned', key: 'page', columns, rolledBack: false };
const OWNED = ['actors', 'timers', 'outbox', 'notes'] as const;

type Row = Readonly<Record<string, unknown>>;

/** When a row was written is another matter, and its checksum covers that. */
function rowsOf(reader: Database.Database): unknown {
  return OWNED.map((table) => {
    const rows = reader.prepare(`select * from ${table} order by 1`).all() as Row[];
    return [table, rows.map(({ from_turn: _turn, checksum: _checksum, ...row }) => row)];
  });
}

type Step =
  (typeof richEvents)[number] | number | 'crash' | 'checkpoint' | 'refused' | 'note' | 'unnote' | 'pair' | 'restore';

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
        'refused',
        'note',
        'unnote',
        'pair',
        'restore',
      ),
    },
  ),
  { minLength: 1, maxLength: 40, size: 'max' },
);

test(
  'property: from every kept turn the tree goes on as it was then, in place and in a fork that leaves the original alone',
  { timeout: 300_000 },
  () =>
    fc.assert(
      fc.asyncProperty(steps, fc.boolean(), fc.nat(), async (walk, history, seed) => {
        const store = quickStore();
        const clock = new SimulatedClock(1_000_000);
        const reader = { current: undefined as Database.Database | undefined };
        const known = new Map<number, { rows: unknown; tree: unknown }>();
        const options = { clock, history, durability: 'process-crash' } as const;
        type Durable = Awaited<ReturnType<typeof open>>;
        let durable: Durable | undefined = undefined as Durable | undefined;
        const open = async () => {
          const opened = await createDurableActor(richMachine, {
            ...options,
            store,
            onCommit: ({ turn }) => {
              if (durable !== undefined) note(turn, durable);
            },
          });
          opened.store.declare([NOTES, LEARNED]);
          return opened;
        };
        const note = (turn: number, of: { actor: unknown }) => {
          reader.current ??= new Database(store, { readonly: true });
          known.set(turn, { rows: rowsOf(reader.current), tree: describeTree(of.actor as never) });
        };
        const kept = () =>
          (
            reader.current
              ?.prepare('select turn from checkpoints union select turn from turns order by 1')
              .pluck()
              .all() as number[] | undefined
          )?.filter((turn) => known.has(turn)) ?? [];
        durable = await open();
        let learned = 0;
        const take = async (step: Step, of: Durable) => {
          const { rows } = of.store;
          if (step === 'crash') {
            crash(of);
            durable = undefined;
            durable = await open();
          } else if (step === 'checkpoint') {
            rows.nameTurn({ at: clock.now(), reason: 'test' });
            await of.send({ type: 'poked' });
          } else if (step === 'refused') {
            const bad = of.send({ type: 'later', delay: Number.NaN } as never);
            await expect(bad).rejects.toMatchObject({ code: 'CODEC_REFUSED' });
          } else if (step === 'note') {
            for (const table of ['notes', 'learned']) {
              rows.run(
                `insert into ${table} values ('a', 1, ?) on conflict do update set words = words + 1, from_turn = excluded.from_turn`,
                rows.turn,
              );
            }
            learned += 1;
          } else if (step === 'unnote') rows.run('delete from notes');
          else if (step === 'restore') {
            const turns = kept();
            const turn = turns[seed % turns.length];
            if (turn !== undefined) await of.restore(turn);
          } else if (step === 'pair') await Promise.all([of.send({ type: 'poked' }), of.send({ type: 'values' })]);
          else if (typeof step === 'number') await clock.advance(step);
          else await of.send(step);
        };
        try {
          for (const step of walk) {
            await take(step, durable);
            await new Promise((resolve) => setImmediate(resolve));
            durable.store.flush();
          }
          const turns = kept();
          if (history) expect(turns).toEqual([...known.keys()]);
          const before = bytesOf(store);
          for (const turn of turns) {
            const target = `${store}-${turn}`;
            await forkStore(store, turn, target);
            expect(examine(target).findings, `the health of a fork of turn ${turn}`).toEqual([]);
            const fork = await createDurableActor(richMachine, { ...options, store: target });
            expect(describeTree(fork.actor), `a fork of turn ${turn}`).toEqual(known.get(turn)?.tree);
            const forked = new Database(target, { readonly: true });
            expect(rowsOf(forked), `the rows of a fork of turn ${turn}`).toEqual(known.get(turn)?.rows);
            forked.close();
            await fork.send({ type: 'poked' });
            await fork.close();
          }
          expect(bytesOf(store)).toBe(before);
          for (const turn of turns.toSorted((a, b) => ((a * 7 + seed) % 11) - ((b * 7 + seed) % 11))) {
            const { turn: now } = await durable.restore(turn);
            const is = known.get(now);
            expect(is?.tree, `back at turn ${turn}`).toEqual(known.get(turn)?.tree);
            expect(is?.rows, `the rows back at turn ${turn}`).toEqual(known.get(turn)?.rows);
            expect(describeTree(durable.actor), `gone on from turn ${turn}`).toEqual(known.get(turn)?.tree);
            const differing = [];
            for await (const one of durable.compare(turn)) differing.push(one);
            expect(differing).toEqual([]);
          }
          crash(durable);
          durable = undefined;
          durable = await open();
          expect(durable.store.rows.all('select words from learned')).toEqual(
            learned === 0 ? [] : [{ words: learned }],
          );
        } finally {
          reader.current?.close();
          await durable?.close();
        }
      }),
      { numRuns: 60 },
    ),
);

const plainSteps = fc.array(
  fc.oneof(
    { weight: 8, arbitrary: fc.constantFrom<((typeof richEvents)[number] | number | 'crash')[]>(...richEvents) },
    { weight: 3, arbitrary: fc.integer({ min: 1, max: 60 }) },
    { weight: 1, arbitrary: fc.constant('crash' as const) },
  ),
  { minLength: 1, maxLength: 40, size: 'max' },
);

test(
  'property: from every kept turn another tree of the store goes on as this one was then, beside it',
  { timeout: 300_000 },
  () =>
    fc.assert(
      fc.asyncProperty(plainSteps, async (walk) => {
        const path = quickStore();
        const clock = new SimulatedClock(1_000_000);
        const open = () =>
          createDurableActor(richMachine, {
            store: path,
            clock,
            history: true,
            durability: 'process-crash',
            onCommit: ({ turn }) => {
              if (durable !== undefined) known.set(turn, { tree: describeTree(durable.actor), timers: timersOf(1) });
            },
          });
        const known = new Map<number, { tree: unknown; timers: unknown }>();
        let durable: Awaited<ReturnType<typeof open>> | undefined = undefined as never;
        const timersOf = (tree: number) =>
          durable?.store.rows.all('select due, delay from timers where tree = ? order by due, delay', tree);
        durable = await open();
        const { number: tree } = durable;
        expect(tree).toBe(1);
        for (const step of walk) {
          if (step === 'crash') {
            crash(durable);
            durable = undefined;
            durable = await open();
          } else if (typeof step === 'number') await clock.advance(step);
          else await durable.send(step);
          await new Promise((resolve) => setImmediate(resolve));
        }
        durable.store.flush();
        const present = describeTree(durable.actor);
        // The forks commit, too.
        const walked = Array.from(known);
        for (const [turn, was] of walked) {
          const id = `fork ${turn}`;
          await forkTree(durable.store, 'main', turn, id);
          const fork = await createDurableActor(richMachine, { store: durable.store, id });
          expect(describeTree(fork.actor), `a fork of turn ${turn}`).toEqual(was.tree);
          expect(timersOf(fork.number)).toEqual(was.timers);
        }
        expect(describeTree(durable.actor)).toEqual(present);
        await durable.close();
        expect(examine(path).findings).toEqual([]);
      }),
      { numRuns: 60 },
    ),
);
