/** Sampling on a clock that is moved by hand, of figures that the test makes up. */
import { expect, test } from 'vitest';
import type { Figures } from '../../actors/resource-figures.ts';
import { ResourceSampler, type FigureSource } from '../../actors/resource-sampler.ts';
import { DEFAULT_PRESSURE } from '../../machines/resource-policy.ts';
import type { Standings } from '../../machines/resources.ts';
import { SimulatedClock } from '../../persistence/simulated-clock.ts';

const SAMPLE_MS = 5_000;
const MINUTE = 60_000;

/** Samples what `figuresAt` says, by the time since the start. */
function sampling(figuresAt: (ms: number) => Figures, problems: string[] = []) {
  const clock = new SimulatedClock(0);
  const told: { at: number; standings: Standings }[] = [];
  const [samples, unreadable] = [[] as number[], [] as string[]];
  const source: FigureSource = {
    read: async () => figuresAt(clock.now()),
    look: async () => figuresAt(clock.now()),
    blockedMs: 1,
    problems,
    close: () => {},
  };
  const sampler = new ResourceSampler({
    source,
    sampleMs: SAMPLE_MS,
    policy: DEFAULT_PRESSURE,
    remindMs: 30_000,
    clock,
    now: () => clock.now(),
  });
  sampler.start({
    sampled: ({ at }) => void samples.push(at),
    changed: (standings) => void told.push({ at: clock.now(), standings }),
    unreadable: (problem) => void unreadable.push(problem),
  });
  const pass = async (ms: number) => {
    for (let left = ms; left > 0; left -= SAMPLE_MS) {
      await clock.advance(SAMPLE_MS);
      await new Promise((resolve) => setImmediate(resolve));
    }
  };
  return { clock, sampler, told, samples, unreadable, pass };
}

const heap = (value: number): Figures => ({ heap: { value, limit: 1_000 } });

test('what does not change is told to nobody, and sampling says what it costs', async () => {
  const { told, samples, sampler, pass } = sampling(() => heap(500));
  await pass(10 * MINUTE);
  expect(told).toEqual([]);
  expect(samples).toHaveLength(120);
  expect(sampler.cost.samples).toBe(120);
  expect(sampler.cost.meanMs).toBeGreaterThanOrEqual(1);
  expect(sampler.cost.share).toBeLessThan(0.01);
  expect(sampler.standings.heap).toMatchObject({ value: 500, level: 'normal', forecast: 'none' });
});

test('a level is told when it changes, and every 30 s while it lasts', async () => {
  const { told, pass } = sampling((ms) => heap(ms > MINUTE && ms <= 2 * MINUTE ? 900 : 500));
  await pass(5 * MINUTE);
  const levels = told.map(({ at, standings }) => [at / 1_000, standings.heap?.level]);
  expect(levels.map(([, level]) => level)).toEqual([
    ...Array.from({ length: levels.length - 1 }, () => 'elevated'),
    'normal',
  ]);
  const gaps = levels.slice(1, -1).map(([at], i) => Number(at) - Number(levels[i]?.[0]));
  expect(gaps.length).toBeGreaterThan(1);
  expect(gaps.every((gap) => gap === 30)).toBe(true);
});

test('a rise is told before its end, with the time that is left', async () => {
  const { told, sampler, pass } = sampling((ms) => heap(100 + (900 * ms) / (20 * MINUTE)));
  await pass(19.5 * MINUTE);
  const warned = told.find(({ standings }) => standings.heap?.forecast === 'imminent');
  const leftMs = 20 * MINUTE - (warned?.at ?? 0);
  expect(leftMs).toBeGreaterThanOrEqual(MINUTE);
  expect(leftMs).toBeLessThanOrEqual(10 * MINUTE);
  expect(Math.abs((warned?.standings.heap?.etaMs ?? 0) - leftMs)).toBeLessThan(0.1 * leftMs);
  expect([...sampler.tallies.values()]).toMatchObject([{ hit: 1, seen: 1, missed: 0 }]);
});

test('whoever looks, however often, changes no level, forecast or sample', async () => {
  let [looks, more] = [0, 0];
  const { told, samples, sampler, pass } = sampling(() => heap(100 + more));
  await pass(SAMPLE_MS);
  for (; looks < 500; looks++) {
    more = looks * 2;
    expect((await sampler.look()).heap).toMatchObject({ value: 100 + more, level: 'normal' });
  }
  expect(sampler.standings.heap?.value).toBe(100);
  more = 0;
  await pass(MINUTE);
  expect([told, samples.length, sampler.cost.samples]).toEqual([[], 13, 13]);
});

test.each([0.05, 0.2, 0.5, 1])(
  'a disk that fills by %d GB a second is seen coming a minute before its end',
  async (rate) => {
    const end = 20 * 2 ** 30;
    const freeAt = (ms: number) => Math.max(0, 20 * MINUTE - ms) * rate * 1e6;
    const { told, sampler, pass } = sampling((ms) => ({ disk: { value: end - freeAt(ms), limit: end } }));
    await pass(19.5 * MINUTE);
    const warned = told.find(({ standings }) => standings.disk?.forecast === 'imminent');
    const leftMs = 20 * MINUTE - (warned?.at ?? Infinity);
    expect(leftMs).toBeGreaterThanOrEqual(MINUTE);
    expect(leftMs).toBeLessThanOrEqual(6 * MINUTE);
    expect(Math.abs((warned?.standings.disk?.etaMs ?? 0) - leftMs)).toBeLessThan(0.1 * leftMs);
    // What is used of its end is never less than nothing, and nothing is critical before its end.
    expect(told.every(({ standings }) => (standings.disk?.value ?? 0) >= 0)).toBe(true);
    expect(told.filter(({ at, standings }) => standings.disk?.level !== 'normal' && freeAt(at) > 0.2 * end)).toEqual(
      [],
    );
    expect([...sampler.tallies.values()]).toMatchObject([{ hit: 1, missed: 0 }]);
  },
);

test('a disk of which more is free than is looked at is told to be empty', async () => {
  const limit = 20 * 2 ** 30;
  const { sampler, pass } = sampling(() => ({ disk: { value: -4 * limit, limit } }));
  await pass(MINUTE);
  expect(sampler.standings.disk).toMatchObject({ value: 0, level: 'normal' });
  expect((await sampler.look()).disk).toMatchObject({ value: 0 });
});

test('when room was made, what rises again is seen coming again, though it is lower than it was', async () => {
  const relievedAt = 15 * MINUTE;
  const rise = (ms: number) => 100 + (700 * ms) / (15 * MINUTE);
  const { told, sampler, pass } = sampling((ms) => heap(ms < relievedAt ? rise(ms) : rise((ms - relievedAt) * 2)));
  await pass(relievedAt - SAMPLE_MS);
  sampler.noteActed(['heap']);
  await pass(7 * MINUTE);
  const again = told.find(({ at, standings }) => at > relievedAt + MINUTE && standings.heap?.forecast === 'imminent');
  expect(again).toBeDefined();
  expect(again?.standings.heap?.value).toBeLessThan(700);
});

test('a figure that is gone is known no more, and why is told once', async () => {
  const problems: string[] = [];
  const { told, unreadable, sampler, pass } = sampling((ms) => {
    if (ms <= MINUTE) return heap(990);
    problems[0] = 'The heap cannot be read.';
    return {};
  }, problems);
  await pass(3 * MINUTE);
  expect(unreadable).toEqual(['The heap cannot be read.']);
  expect(told.at(-1)?.standings).toEqual({});
  expect(sampler.standings).toEqual({});
});

test('a source that fails is told once, and sampling goes on', async () => {
  const { samples, unreadable, sampler, pass } = sampling((ms) => {
    if (ms < MINUTE) throw new Error('no way');
    return heap(500);
  });
  await pass(2 * MINUTE);
  expect(unreadable).toEqual(['The resources cannot be read: no way']);
  expect(samples).toHaveLength(24);
  expect(sampler.standings.heap?.value).toBe(500);
});

test('nothing is sampled after the end', async () => {
  const { samples, sampler, pass } = sampling(() => heap(1));
  await pass(MINUTE);
  sampler.close();
  await pass(MINUTE);
  expect(samples).toHaveLength(12);
});
