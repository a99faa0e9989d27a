/** Which named turns are kept, and for how long. */
import Database from 'better-sqlite3';
import fc from 'fast-check';
import { assign, setup } from 'xstate';
import { describe, expect, test } from 'vitest';
import { createDurableActor } from '../../persistence/create.ts';
import { checkpointLimits, Checkpoints, outlives, type CheckpointLimits } from '../../persistence/checkpoints.ts';
import { restoreAsleep } from '../../persistence/restore-asleep.ts';
import { Statements } from '../../persistence/rows.ts';
import { SimulatedClock } from '../../persistence/simulated-clock.ts';
import { Store } from '../../persistence/store.ts';
import { quickStore } from '../support/temp.ts';

const HOUR = 3_600_000;
const DAY = 24 * HOUR;

const counter = setup({ types: {} as { context: { n: number } } }).createMachine({
  id: 'counter',
  context: { n: 0 },
  on: { add: { actions: assign({ n: ({ context }) => context.n + 1 }) } },
});

interface Named {
  readonly turn: number;
  readonly at: number;
  readonly pinned: boolean;
}

/** The rule in one sentence each, over all of them. */
function kept(all: readonly Named[], limits: Required<CheckpointLimits>, now: number): number[] {
  const newestFirst = all.toReversed();
  let young = 0;
  return newestFirst
    .filter((one, index) => {
      if (one.pinned || index < 2) return true;
      if (now - one.at < limits.allMs) {
        young = newestFirst.slice(0, index).filter(({ pinned }) => !pinned).length;
        if (young < limits.keepAtMost) return true;
      }
      return outlives(one, newestFirst[index - 1] as Named, limits, now);
    })
    .map(({ turn }) => turn)
    .toReversed();
}

test('property: what is kept, while turns are named, is what the rule says of all that ever were', () =>
  fc.assert(
    fc.property(
      fc.array(fc.record({ wait: fc.integer({ min: 0, max: 40 }), pinned: fc.nat(9).map((n) => n === 0) }), {
        minLength: 1,
        maxLength: 120,
      }),
      fc.integer({ min: 2, max: 12 }),
      (names, keepAtMost) => {
        const db = new Database(':memory:');
        db.exec(
          'create table checkpoints(turn integer primary key, at integer, reason text, label text, detail text, pinned integer)',
        );
        const limits = checkpointLimits({ allMs: HOUR, hourlyMs: 6 * HOUR, dailyMs: 3 * DAY, keepAtMost });
        const checkpoints = new Checkpoints(new Statements(db), limits);
        const all: Named[] = [];
        let now = 0;
        for (const [index, { wait, pinned }] of names.entries()) {
          now += wait ** 2 * 10_000;
          const turn = index + 1;
          all.push({ turn, at: now, pinned });
          checkpoints.name(turn, { at: now, reason: 'test', pinned });
          checkpoints.forgetSurplus(now);
          checkpoints.forgetOld(now, 1_000);
          checkpoints.forgetOld(now, 1_000);
          expect(db.prepare('select turn from checkpoints order by turn').pluck().all()).toEqual(
            kept(all, limits, now),
          );
        }
        db.close();
      },
    ),
    { numRuns: 200 },
  ));

test('in 40 days of a checkpoint every ten minutes there are never more than the generations hold, and none is missing', async () => {
  const clock = new SimulatedClock(0);
  await using durable = await createDurableActor(counter, { store: quickStore(), clock, durability: 'process-crash' });
  const { rows } = durable.store;
  const ages = () =>
    rows.all<{ at: number }>('select at from checkpoints order by turn').map(({ at }) => clock.now() - at);
  let most = 0;
  for (let n = 0; n < 6 * 24 * 40; n++) {
    await clock.advance(10 * 60_000);
    rows.nameTurn({ at: clock.now(), reason: 'interval' });
    await durable.send({ type: 'add' });
    most = Math.max(most, ages().length);
  }
  // 6 of the last hour, 24 hours, 30 days, and what is looked at next.
  expect(most).toBeLessThanOrEqual(6 + 24 + 30 + 8);
  const found = ages();
  expect(found.filter((age) => age < HOUR)).toHaveLength(6);
  for (let hour = 2; hour < 24; hour++) expect(found.some((age) => Math.abs(age - hour * HOUR) <= HOUR)).toBe(true);
  for (let day = 2; day < 30; day++) expect(found.some((age) => Math.abs(age - day * DAY) <= DAY)).toBe(true);
  // What nobody sees any more is gone.
  const unseen = `select count(*) as n from actors_past where not exists (select 1 from checkpoints where turn >= from_turn and turn < to_turn)`;
  expect(rows.get<{ n: number }>(unseen)?.n).toBeLessThan(64);
  const newest = rows.get<{ turn: number }>('select min(turn) as turn from checkpoints') as { turn: number };
  await durable.restore(newest.turn);
});

test.each([0, 1, 20])('%i checkpoints of a clock that was ahead do not keep what came after them', async (ahead) => {
  const clock = new SimulatedClock(10 * DAY);
  await using durable = await createDurableActor(counter, { store: quickStore(), clock, durability: 'process-crash' });
  const { rows } = durable.store;
  const name = (at: number) => {
    rows.nameTurn({ at, reason: 'test' });
    return durable.send({ type: 'add' });
  };
  for (let n = 0; n < ahead; n++) await name(clock.now() + (365 + n) * DAY);
  for (let n = 0; n < 12 * 24 * 3; n++) {
    await clock.advance(300_000);
    await name(clock.now());
  }
  const kept = rows.get<{ n: number }>('select count(*) as n from checkpoints where at <= ?', clock.now())?.n;
  expect(kept).toBeLessThanOrEqual(12 + 24 + 3 + 8);
});

test('a pinned one stays for ever, until it is not pinned any more', async () => {
  const clock = new SimulatedClock(0);
  await using durable = await createDurableActor(counter, { store: quickStore(), clock });
  const { rows } = durable.store;
  const name = async (pinned: boolean) => {
    rows.nameTurn({ at: clock.now(), reason: 'test', pinned });
    return (await durable.send({ type: 'add' })).turn;
  };
  const first = await name(true);
  const turns = () => rows.all<{ turn: number }>('select turn from checkpoints order by turn').map(({ turn }) => turn);
  for (let n = 0; n < 20; n++) {
    await clock.advance(40 * DAY);
    await name(false);
  }
  expect(turns()).toHaveLength(3);
  expect(turns()[0]).toBe(first);
  const { before } = await durable.restore(first);
  expect(durable.getSnapshot().context.n).toBe(1);
  // The last one that was restored is not forgotten either.
  await durable.restore(before);
  expect(rows.pinTurn(first, false)).toBe(true);
  for (let n = 0; n < 40; n++) await durable.send({ type: 'add' });
  expect(turns()).not.toContain(first);
  expect(rows.pinTurn(first, true)).toBe(false);
});

describe('a checkpoint that is listed can be restored, also', () => {
  const names = async (clock: SimulatedClock, keepAtMost: number, waits: readonly number[]) => {
    const store = quickStore();
    const durable = await createDurableActor(counter, { store, clock, checkpoints: { keepAtMost } });
    for (const wait of waits) {
      durable.store.rows.nameTurn({ at: clock.now(), reason: 'test' });
      await durable.send({ type: 'add' });
      await clock.advance(wait);
    }
    const listed = durable.store.rows.all<{ turn: number }>('select turn from checkpoints order by turn');
    return { durable, store, listed: listed.map(({ turn }) => turn) };
  };

  test.each([
    ['when the name of what was before is one too many', 5, [0, 0, 0, 0, 0, 0, 0]],
    ['when no more than two are kept', 2, [0, 0]],
    ['when its period has a newer one, and the hour has passed', 1_000, [600_000, 600_000, 2 * HOUR]],
  ])('%s', async (_, keepAtMost, waits) => {
    const clock = new SimulatedClock(DAY / 2);
    const { durable, store, listed } = await names(clock, keepAtMost, waits);
    const first = listed[0] as number;
    for (let n = 0; n < 3; n++) expect(await durable.restore(first)).toMatchObject({ from: first });
    expect(durable.getSnapshot().context.n).toBe(waits.length - listed.length + 1);
    await durable.close();

    const asleep = Store.open(store, { clock, checkpoints: { keepAtMost } });
    const oldest = asleep.rows.get<{ turn: number }>('select min(turn) as turn from checkpoints');
    await restoreAsleep(asleep, 'main', oldest?.turn as number);
    asleep.close();
  });
});

test('a name that is taken away frees what only it kept', async () => {
  await using durable = await createDurableActor(counter, { store: quickStore() });
  const { rows } = durable.store;
  rows.nameTurn({ at: 0, reason: 'test' });
  const { turn } = await durable.send({ type: 'add' });
  await durable.send({ type: 'add' });
  expect(rows.get<{ n: number }>('select count(*) as n from actors_past')?.n).toBe(1);
  expect(rows.unnameTurn(turn)).toBe(true);
  expect(rows.unnameTurn(turn)).toBe(false);
  for (let n = 0; n < 20; n++) await durable.send({ type: 'add' });
  expect(rows.get<{ n: number }>('select count(*) as n from actors_past')?.n).toBe(0);
  await expect(durable.restore(turn)).rejects.toMatchObject({ code: 'CHECKPOINT_UNKNOWN' });
});

test('two names of one turn are one checkpoint: what the second adds is kept', async () => {
  await using durable = await createDurableActor(counter, { store: quickStore() });
  const { rows } = durable.store;
  rows.nameTurn({ at: 0, reason: 'actions' });
  rows.nameTurn({ at: 0, reason: 'request', label: 'mine', pinned: true });
  await durable.send({ type: 'add' });
  expect(rows.all('select reason, label, pinned from checkpoints')).toEqual([
    { reason: 'actions', label: 'mine', pinned: 1 },
  ]);
});

describe('limits that make no sense are refused:', () => {
  test.each([
    [{ keepAtMost: 0 }, 'keepAtMost'],
    [{ keepAtMost: 1 }, 'keepAtMost'],
    [{ keepAtMost: 2.5 }, 'keepAtMost'],
    [{ allMs: -1 }, 'allMs'],
    [{ dailyMs: Number.NaN }, 'dailyMs'],
    [{ allMs: 2 * DAY }, 'hourlyMs'],
    [{ hourlyMs: 60 * DAY }, 'dailyMs'],
    [{ allMs: '1' as never }, 'allMs'],
  ])('%j', (checkpoints, option) => {
    const path = quickStore();
    expect(() => Store.open(path, { checkpoints })).toThrow(
      expect.objectContaining({ code: 'OPTIONS_INVALID', facts: { option: `checkpoints.${option}` } }) as Error,
    );
    Store.open(path).close();
  });

  test.each([null, 5, 'day', [], { x: 1 }, { keepAtMost: 5, dailyMS: 1 }])('%j', (checkpoints) => {
    const path = quickStore();
    expect(() => Store.open(path, { checkpoints: checkpoints as never })).toThrow(
      expect.objectContaining({ code: 'OPTIONS_INVALID', facts: { option: 'checkpoints' } }) as Error,
    );
    Store.open(path).close();
  });
});
