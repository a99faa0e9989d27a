import fc from 'fast-check';
import { expect, test } from 'vitest';
import { chromeTraceOf, cpuProfileOf, flameOf, type Flame, type TracedSpan } from '../../machines/profile-exports.ts';
import { findingsOf } from '../../machines/profile-report.ts';
import { MOST_OPERATIONS, OTHER, Profile, type ProfileNode } from '../../machines/profile.ts';
import { OpenSpan } from '../../machines/spans.ts';
import { summaryOf } from '../../machines/summary.ts';

/** Calls that lie in each other, one at a time, on a clock of their own. */
class Calls {
  now = 0;
  readonly profile: Profile;
  #stack: { readonly span: OpenSpan; readonly node: ProfileNode }[] = [];

  constructor(profile = new Profile()) {
    this.profile = profile;
  }

  call(name: string, ms: number, inner = () => {}, failed = false): void {
    const around = this.#stack.at(-1);
    const node = this.profile.at(around?.node, name);
    const span = new OpenSpan(this.now, around?.span);
    this.profile.begin(node);
    this.#stack.push({ span, node });
    this.now += ms;
    inner();
    this.#stack.pop();
    this.profile.end(node, span.end(this.now)!, failed, 1, around?.node);
  }
}

test('an outer operation is not charged with the time of an inner one, and a total is told beside', () => {
  const calls = new Calls();
  calls.call('outer', 1, () => calls.call('inner', 99));
  const { operations, workMs, bottlenecks, hotPaths } = findingsOf(calls.profile, 1_000);
  expect(workMs).toBe(100);
  expect(operations).toMatchObject([
    { name: 'inner', count: 1, selfMs: 99, totalMs: 99, share: 0.99, rate: 1 },
    { name: 'outer', count: 1, selfMs: 1, totalMs: 100, share: 0.01 },
  ]);
  expect(bottlenecks).toEqual(['inner']);
  expect(hotPaths).toEqual([{ path: ['outer', 'inner'], selfMs: 99, share: 0.99 }]);
});

const NAMES = ['a', 'b', 'c'] as const;
interface Tree {
  readonly name: string;
  readonly ms: number;
  readonly children: readonly Tree[];
}
const { tree } = fc.letrec<{ tree: Tree; below: readonly Tree[] }>((tie) => ({
  tree: fc.record({ name: fc.constantFrom(...NAMES), ms: fc.nat(100), children: tie('below') }),
  below: fc.oneof({ maxDepth: 5 }, fc.constant([]), fc.array(tie('tree'), { maxLength: 3 })),
}));

test('times of their own add up to the time of the outermost, also of what calls itself, and a total is never longer', () => {
  fc.assert(
    fc.property(tree, (root) => {
      const calls = new Calls();
      const make = ({ name, ms, children }: Tree): void => calls.call(name, ms, () => children.forEach(make));
      make(root);
      const { operations, workMs } = findingsOf(calls.profile, 1_000);
      expect(workMs).toBe(calls.now);
      for (const { totalMs, selfMs } of operations) {
        expect(totalMs).toBeLessThanOrEqual(calls.now);
        expect(totalMs).toBeGreaterThanOrEqual(selfMs);
      }
      const flame = flameOf(calls.profile);
      expect(flame.value).toBe(calls.now);
      const check = ({ value, self, children }: Flame): void => {
        expect(children.reduce((sum, child) => sum + child.value, self)).toBe(value);
        children.forEach(check);
      };
      check(flame);
      const { samples, timeDeltas, endTime, nodes } = cpuProfileOf(calls.profile);
      expect(samples.length).toBe(timeDeltas.length);
      expect(timeDeltas.reduce((sum, delta) => sum + delta, 0)).toBe(endTime);
      expect(endTime).toBe(calls.now * 1_000);
      expect(nodes.map(({ id }) => id)).toEqual(nodes.map((_, at) => at + 1));
    }),
  );
});

test('H37: what is under way has neither gone well nor failed', () => {
  const profile = new Profile();
  const node = profile.at(undefined, 'work');
  profile.begin(node);
  profile.begin(node);
  profile.end(node, { inclusiveMs: 5, selfMs: 5 }, true, 1);
  expect(findingsOf(profile, 1_000).operations).toMatchObject([{ count: 1, failures: 1, errorRate: 1, inFlight: 1 }]);
});

test('of a million operations the thousand that matter are kept, and nothing is lost from the sums', () => {
  const calls = new Calls();
  for (let at = 0; at < 1_000_000; at += 1) {
    const isGreat = at % 100_000 === 50_000;
    calls.call(isGreat ? `great ${at}` : `small ${at % 500_000}`, isGreat ? 10_000 : 1);
    if (at % 100_000 === 0) expect(calls.profile.size).toBeLessThanOrEqual(2 * MOST_OPERATIONS);
  }
  const { operations, spans, workMs } = findingsOf(calls.profile, 1_000);
  expect(spans).toBe(1_000_000);
  expect(workMs).toBe(calls.now);
  expect(operations.filter(({ name }) => name.startsWith('great')).length).toBe(10);
  expect(operations.find(({ name }) => name === OTHER)?.count).toBeGreaterThan(900_000);
  // Nothing was written: there is nothing to remove, however many went.
  expect(calls.profile.takeRemoved()).toEqual([]);
}, 30_000);

test('what was written and is there no more is to be removed, once, and again when that failed', () => {
  const calls = new Calls(new Profile(10));
  const { profile } = calls;
  calls.call('written', 0);
  calls.call('on its way', 0);
  const [written, onItsWay] = profile.takeChanged();
  profile.kept([written!]);
  for (let at = 0; at < 50; at += 1) calls.call(`n${at}`, 1);
  profile.kept([onItsWay!]);
  const removed = profile.takeRemoved();
  expect(removed).toEqual([written, onItsWay]);
  expect(profile.takeRemoved()).toEqual([]);
  profile.notKept([], removed);
  expect(profile.takeRemoved()).toEqual(removed);
});

test('what waits longest to be written is taken first', () => {
  const calls = new Calls();
  const taken = () => calls.profile.takeChanged(2).map(({ name }) => name);
  for (const name of ['a', 'b', 'c']) calls.call(name, 1);
  expect(taken()).toEqual(['a', 'b']);
  calls.call('a', 1);
  expect(taken()).toEqual(['c', 'a']);
  expect(calls.profile.hasChanged).toBe(false);
});

test('a span that is open while its operation goes into the others ends there, and so does what begins in it', () => {
  const profile = new Profile(10);
  const first = profile.at(undefined, 'first');
  profile.begin(first);
  for (let at = 0; at < 50; at += 1) {
    const node = profile.at(undefined, `n${at}`);
    profile.begin(node);
    profile.end(node, { inclusiveMs: 2, selfMs: 2 }, false, 1);
  }
  expect(first.gone).toBe('folded');
  expect(findingsOf(profile, 1).operations.find(({ name }) => name === OTHER)).toMatchObject({ inFlight: 1 });
  profile.end(first, { inclusiveMs: 1, selfMs: 1 }, true, 1);
  const { workMs, spans } = findingsOf(profile, 1);
  expect([workMs, spans]).toEqual([101, 51]);
  expect([...profile.nodes()].map(({ inFlight }) => inFlight).filter((n) => n !== 0)).toEqual([]);
  expect(profile.at(first, 'inner').path).toEqual(['inner']);
});

test('functions that call each other in turns are a few operations, however deep, and no time counts twice', () => {
  const calls = new Calls();
  const names = ['expression', 'term', 'factor'] as const;
  const down = (depth: number): void => calls.call(names[depth % 3]!, 1, () => depth < 998 && down(depth + 1));
  down(0);
  expect(calls.profile.size).toBeLessThanOrEqual(64);
  const { operations, workMs, spans } = findingsOf(calls.profile, 1_000);
  expect([workMs, spans]).toEqual([999, 999]);
  expect(Math.max(...operations.map(({ totalMs }) => totalMs))).toBe(999);
  expect(operations.map(({ count }) => count)).toEqual([333, 333, 333]);
});

test('it is the same after it was stored', () => {
  const calls = new Calls();
  calls.call('a', 3, () => calls.call('b', 4, () => calls.call('a', 5), true));
  const stored = JSON.parse(JSON.stringify([...calls.profile.nodes()])) as [];
  const back = new Profile();
  back.restore(stored.toReversed());
  expect(findingsOf(back, 1_000)).toEqual(findingsOf(calls.profile, 1_000));
});

test('cures are ranked by what they are worth: Amdahl bounds it', () => {
  const calls = new Calls();
  for (let n = 0; n < 200; n += 1) calls.call('often', 3);
  calls.call('long', 300);
  for (let n = 0; n < 20; n += 1) calls.call('failing', 5, undefined, n % 2 === 0);
  const { recommendations } = findingsOf(calls.profile, 1_000);
  expect(recommendations).toMatchObject([
    {
      operation: 'often',
      of: 'work',
      share: 0.6,
      mostSpeedUp: 2.5,
      reason: '60 % of all work; 200 calls of 3 ms: fewer of them, or several in one',
    },
    { operation: 'long', share: 0.3, reason: '30 % of all work; 1 call of 300 ms: each must become shorter' },
    { operation: 'failing', share: 0.05, reason: '50 % of its calls fail, and each was work for nothing' },
  ]);
});

test('of a plan only what lies on the critical path is worth a cure', () => {
  const step = (id: string, after: string[], startedAt: number, settledAt: number) => ({
    id,
    after,
    startedAt,
    settledAt,
    workMs: settledAt - startedAt,
    attempts: 1,
  });
  const summary = summaryOf([step('a', [], 0, 90), step('b', [], 0, 60), step('c', ['a', 'b'], 90, 100)], 2);
  expect(findingsOf(new Profile(), 1_000, summary).recommendations).toEqual([
    {
      operation: 'a',
      of: 'makespan',
      share: 0.9,
      mostSpeedUp: expect.closeTo(10),
      reason: expect.stringContaining('critical path'),
    },
    expect.objectContaining({ operation: 'c', share: 0.1 }),
  ]);
});

test('in a trace what overlaps has a lane of its own, and what lies in another is below it', () => {
  const span = (id: number, parent: number | null, at: number, ms: number): TracedSpan => ({
    id,
    parent,
    name: `s${id}`,
    kind: 'work',
    at,
    ms,
    failed: false,
  });
  const spans = [
    span(1, null, 0, 100),
    span(2, 1, 10, 50),
    span(3, 1, 20, 80),
    span(4, 2, 15, 10),
    span(5, null, 50, 100),
    span(6, null, 200, 1),
  ];
  const { traceEvents } = chromeTraceOf(spans.toReversed());
  const lanes = new Map<number, typeof traceEvents>();
  for (const event of traceEvents) lanes.set(event.tid, [...(lanes.get(event.tid) ?? []), event]);
  for (const events of lanes.values()) {
    for (const a of events)
      for (const b of events) {
        const [from, to] = [Math.max(a.ts, b.ts), Math.min(a.ts + a.dur, b.ts + b.dur)];
        if (a !== b && from < to) expect(to - from).toBe(Math.min(a.dur, b.dur));
      }
  }
  const tid = (name: string) => traceEvents.find((event) => event.name === name)?.tid;
  expect([tid('s2'), tid('s4')]).toEqual([tid('s1'), tid('s1')]);
  expect(tid('s3')).not.toBe(tid('s1'));
  expect(tid('s6')).toBe(1);
});

test('when actions wait longer for a slot than they work, more at once is worth most', () => {
  const profile = new Profile();
  const mail = profile.at(undefined, 'mail');
  for (const [name, kind, ms] of [
    ['queued', 'wait', 900],
    ['attempt', 'work', 100],
  ] as const) {
    const phase = profile.at(mail, name, kind);
    profile.begin(phase);
    profile.end(phase, { inclusiveMs: ms, selfMs: ms }, false, 1);
  }
  const { workMs, operations, recommendations } = findingsOf(profile, 1_000);
  expect(workMs).toBe(100);
  expect(operations.map(({ name, share }) => [name, share])).toEqual([
    ['mail: queued', 1],
    ['mail: attempt', 1],
    ['mail', 0],
  ]);
  expect(recommendations.at(-1)).toMatchObject({
    operation: 'mail: queued',
    share: 0.9,
    mostSpeedUp: expect.closeTo(10),
    reason: expect.stringContaining('900 ms each'),
  });
});
