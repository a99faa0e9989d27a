import { anything, array, assert, constantFrom, jsonValue, object, oneof, property, record, string } from 'fast-check';
import { createBrowserInspector } from '@statelyai/inspect';
import { expect, test } from 'vitest';
import { createActor, createMachine, assign } from 'xstate';
import { chartOfConfig } from '../../../inspector/charts/chart-of-config.ts';
import { StatelyFeed } from '../../../inspector/page/stately-feed.ts';
import type { InspectionRecord } from '../../../inspector/protocol.ts';

function taken(feed: StatelyFeed, data: unknown): readonly InspectionRecord[] {
  return feed.take(data, 1_000).flatMap((message) => (message.type === 'records' ? message.records : []));
}

function frame(type: string, rest: object = {}): object {
  return {
    type: `@xstate.${type}`,
    sessionId: 'x:1',
    _version: '0.7.2',
    createdAt: '500',
    rootId: 'x:1',
    id: null,
    ...rest,
  };
}

test('what the unmodified client of a browser posts becomes actors, events, states and a chart', async () => {
  const posted: unknown[] = [];
  const inspector = createBrowserInspector({
    // A window that takes what is posted, and says hello at once.
    window: fakeWindow(posted),
    url: 'http://localhost/viewer',
  });
  const machine = createMachine({
    id: 'light',
    initial: 'green',
    context: { count: 0 },
    states: {
      green: {
        on: { next: { target: 'red', actions: assign({ count: ({ context }) => Number(context['count']) + 1 }) } },
      },
      red: { type: 'final' },
    },
  });
  const actor = createActor(machine, { inspect: inspector.inspect }).start();
  actor.send({ type: 'next', by: 'somebody' });
  await expect.poll(() => posted.length).toBeGreaterThanOrEqual(4);

  const feed = new StatelyFeed();
  const records = posted.flatMap((data) => taken(feed, data));
  expect(records.map(({ kind }) => kind)).toContain('started');
  expect(records.map(({ seq }) => seq)).toEqual(records.map((_, i) => i));
  const event = records.find((one) => one.kind === 'event' && one.event.type === 'next');
  expect(event).toMatchObject({ event: { type: 'next', by: 'somebody' }, from: null });
  const detail = feed.actor(actor.sessionId);
  expect(detail).toMatchObject({ status: 'done', value: 'red', context: { count: 1 }, src: 'light' });
  const chart = chartOfConfig(feed.definition(detail?.chart ?? ''));
  expect(chart?.states.map(({ key }) => key)).toEqual(expect.arrayContaining(['green', 'red']));
});

/** As much of a window as the client uses. */
function fakeWindow(posted: unknown[]): never {
  const target = { postMessage: (data: unknown) => posted.push(data) };
  return {
    open: () => target,
    addEventListener: (_: string, listen: (event: unknown) => void) =>
      setTimeout(() => listen({ data: { type: '@statelyai.connected' } }), 0),
  } as never;
}

test('text and objects are read alike, and an actor can be seen as it was after a record', () => {
  const feed = new StatelyFeed();
  const [first] = taken(feed, frame('actor', { name: 'a', snapshot: { status: 'active', context: { n: 1 } } }));
  const [second] = taken(
    feed,
    JSON.stringify(frame('snapshot', { event: { type: 'go' }, snapshot: { context: { n: 2 } } })),
  );
  expect(first).toMatchObject({ kind: 'started', at: 500, actor: 'x:1' });
  expect(second).toMatchObject({ kind: 'snapshot', event: 'go', contextChanged: true });
  expect(feed.actor('x:1', first!.seq)?.context).toEqual({ n: 1 });
  expect(feed.actor('x:1')?.context).toEqual({ n: 2 });
  expect(feed.actor('x:2', first!.seq)).toBeUndefined();
});

test('an actor whose registration was lost is there from its first event on', () => {
  const feed = new StatelyFeed();
  const records = taken(feed, frame('event', { sessionId: 'x:9', event: { type: 'late' }, sourceId: 'x:1' }));
  expect(records.map(({ kind }) => kind)).toEqual(['started', 'event']);
  expect(feed.actor('x:9')).toMatchObject({ name: 'x:9', status: 'active', chart: null });
});

test('what is no machine has no chart, and the same definition has the same one', () => {
  const feed = new StatelyFeed();
  taken(feed, frame('actor', { sessionId: 'a', definition: '{"id":"a"}' }));
  taken(feed, frame('actor', { sessionId: 'b', definition: '{"id":"m","states":{"s":{}}}' }));
  taken(feed, frame('actor', { sessionId: 'c', definition: '{"id":"m","states":{"s":{}}}' }));
  expect(feed.actor('a')?.chart).toBeNull();
  expect(feed.actor('b')?.chart).not.toBeNull();
  expect(feed.actor('c')?.chart).toBe(feed.actor('b')?.chart);
});

const hostile = oneof(
  anything(),
  string(),
  record(
    {
      type: constantFrom('@xstate.actor', '@xstate.event', '@xstate.snapshot'),
      _version: constantFrom('0.7.2'),
      sessionId: oneof(constantFrom('a', 'b', '__proto__', 'constructor'), anything()),
      parentId: anything(),
      sourceId: anything(),
      name: anything(),
      createdAt: anything(),
      definition: oneof(
        anything(),
        jsonValue().map((value) => JSON.stringify(value)),
      ),
      event: anything(),
      snapshot: oneof(anything(), object(), record({ status: anything(), value: anything(), tags: anything() })),
    },
    { requiredKeys: ['type', '_version', 'sessionId'] },
  ),
);

test('whatever is posted, nothing is thrown, and only plain JSON with numbers that rise is kept', () => {
  assert(
    property(array(hostile, { maxLength: 20 }), (posts) => {
      const feed = new StatelyFeed();
      const records = posts.flatMap((post) => taken(feed, post));
      expect(records.map(({ seq }) => seq)).toEqual(records.map((_, i) => i));
      expect(() => JSON.stringify(records)).not.toThrow();
      for (const { actor, at } of records) {
        expect(typeof actor).toBe('string');
        expect(Number.isFinite(at)).toBe(true);
        const detail = feed.actor(actor);
        expect(() => JSON.stringify(detail)).not.toThrow();
        expect(['active', 'done', 'error', 'stopped']).toContain(detail?.status);
      }
    }),
  );
  expect(({} as Record<string, unknown>)['status']).toBeUndefined();
});

test('however many actors are posted, so many are kept and no more', () => {
  const feed = new StatelyFeed();
  for (let i = 0; i < 5_200; i++) taken(feed, frame('actor', { sessionId: `x:${i}` }));
  expect(feed.actor('x:4999')).toBeDefined();
  expect(feed.actor('x:5000')).toBeUndefined();
  expect(taken(feed, frame('event', { sessionId: 'x:5100', event: { type: 'e' } }))).toEqual([]);
  expect(taken(feed, frame('event', { sessionId: 'x:1', event: { type: 'e' } }))).toHaveLength(1);
});
