import fc from 'fast-check';
import { expect, test } from 'vitest';
import { ClientActors } from '../../../inspector/sources/client-actors.ts';
import { JoinedSource } from '../../../inspector/sources/joined-source.ts';
import type { InspectionRecord } from '../../../inspector/protocol.ts';
import { StillSource } from '../../support/still-source.ts';

function joined() {
  const source = new StillSource();
  const clients = new ClientActors({ shown: (value) => value, now: () => 1 });
  const both = new JoinedSource(source, clients);
  clients.onRecord = (record) => both.insert(record);
  const event = () =>
    clients.take('client-1', JSON.stringify({ type: '@xstate.event', sessionId: 'x:0', event: { type: 'a' } }));
  clients.take('client-1', JSON.stringify({ type: '@xstate.actor', sessionId: 'x:0' }));
  return { source, both, event };
}

const step = fc.oneof(
  fc.record({ kind: fc.constant('source' as const), count: fc.integer({ min: 1, max: 5 }) }),
  fc.record({ kind: fc.constant('client' as const), count: fc.integer({ min: 1, max: 5 }) }),
  fc.record({ kind: fc.constant('look' as const), count: fc.constant(0) }),
);

test('J1: whoever happens to do what, numbers count up by one, and what is held is what was told', () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 30 }), (steps) => {
      const { source, both, event } = joined();
      const told: (readonly [number, string])[] = [];
      let isLooked = false;
      for (const { kind, count } of steps) {
        if (kind === 'source') source.tell(count);
        if (kind === 'client') for (let nth = 0; nth < count; nth += 1) event();
        if (kind !== 'look' || isLooked) continue;
        isLooked = true;
        both.subscribe({
          records: (records) => told.push(...records.map(({ seq, actor }) => [seq, actor] as const)),
          committed: () => {},
        });
        told.push(...both.recordsFrom(1).records.map(({ seq, actor }) => [seq, actor] as const));
      }
      const { from, records } = both.recordsFrom(1);
      expect(from).toBe(1);
      expect(records.map(({ seq }) => seq)).toEqual(Array.from({ length: both.nextSeq - 1 }, (_, at) => at + 1));
      if (isLooked) expect(told).toEqual(records.map(({ seq, actor }) => [seq, actor]));
      for (let seq = 1; seq < both.nextSeq; seq += 1) expect(both.recordsFrom(seq).records.at(0)?.seq).toBe(seq);
    }),
    { numRuns: 300 },
  );
});

test('J2: when the first records of clients are forgotten, it is known from where on all is held', () => {
  const { source, both, event } = joined();
  const seen: number[] = [];
  both.subscribe({ records: (records) => void seen.push(...records.map(({ seq }) => seq)), committed: () => {} });
  for (let nth = 0; nth < 12_000; nth += 1) {
    if (nth % 2 === 0) source.tell(1);
    else event();
    event();
  }
  expect(seen).toEqual(Array.from({ length: seen.length }, (_, at) => (seen[0] === undefined ? 0 : seen[0] + at)));
  const { from, records } = both.recordsFrom(1);
  expect(from).toBeGreaterThan(1);
  expect(records[0]?.seq).toBe(from);
  expect(records.map(({ seq }) => seq)).toEqual(Array.from({ length: both.nextSeq - from }, (_, at) => from + at));
});

test('J3: the source is subscribed to once, and no longer than somebody looks', () => {
  const { source, both } = joined();
  const listener = { records: () => {}, committed: () => {} };
  const one = both.subscribe(listener);
  const two = both.subscribe(listener, { detail: true });
  expect([...source.listeners.values()]).toEqual([true]);
  two.unsubscribe();
  expect([...source.listeners.values()]).toEqual([false]);
  one.unsubscribe();
  expect(source.listeners.size).toBe(0);
});

test('what the source has forgotten is told with the numbers that it would have had', () => {
  const { source, both, event } = joined();
  const told: unknown[] = [];
  both.subscribe({
    records: (records) => told.push(...records.map(({ seq }) => seq)),
    dropped: (from, to) => told.push([from, to]),
    committed: () => {},
  });
  source.tell(2);
  event();
  source.nextSeq += 4;
  for (const listener of source.listeners.keys()) listener.dropped?.(3, 7);
  source.tell(1);
  event();
  // The first record is that the client began.
  expect(told).toEqual([2, 3, 4, [5, 9], 9, 10]);
});

test('whoever cannot be subscribed is not, and is not told later', () => {
  const { source, both } = joined();
  const { subscribe } = source;
  source.subscribe = () => {
    throw new Error('a damaged row');
  };
  const told: InspectionRecord[] = [];
  const listener = {
    records: (records: readonly InspectionRecord[]) => void told.push(...records),
    committed: () => {},
  };
  expect(() => both.subscribe(listener)).toThrow('a damaged row');
  source.subscribe = subscribe;
  both.subscribe({ records: () => {}, committed: () => {} });
  source.tell(1);
  expect([told.length, source.listeners.size]).toEqual([0, 1]);
});

test('what a source holds from the moment that somebody looks is held for them', () => {
  const { source, both } = joined();
  const { subscribe } = source;
  source.subscribe = (...given) => {
    // Its past comes before what it records.
    source.tell(3);
    return subscribe.apply(source, given);
  };
  both.subscribe({ records: () => {}, committed: () => {} });
  expect(both.recordsFrom(0).records.filter(({ actor }) => actor === 'door')).toHaveLength(3);
});

test('the state that an actor of a client had is told while it is the present one, and no other instead', () => {
  const { source, both, event } = joined();
  const id = 'client-1/x:0';
  source.tell(1);
  const since = both.nextSeq - 1;
  expect(both.actor(id, 0)).toBeUndefined();
  expect(both.actor(id, since)).toEqual(both.actor(id));
  event();
  expect([both.actor(id, since), both.actor(id, since + 1)]).toEqual([undefined, both.actor(id)]);
});
