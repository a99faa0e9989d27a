/** What a client of Stately's protocol sends is bounded: each record, each state, and all of them. */
import { expect, onTestFinished, test, vi } from 'vitest';
import type { InspectionRecord } from '../../../inspector/protocol.ts';
import { ClientActors } from '../../../inspector/sources/client-actors.ts';
import { JoinedSource } from '../../../inspector/sources/joined-source.ts';
import { StillSource } from '../../support/still-source.ts';

const LARGE = 'x'.repeat(900_000);
const sizeOf = (value: unknown) => JSON.stringify(value).length;

function joined() {
  const clients = new ClientActors({ shown: (value) => value });
  const both = new JoinedSource(new StillSource(), clients);
  clients.onRecord = (record) => both.insert(record);
  const send = (frame: object) => expect(clients.take('client-1', JSON.stringify(frame))).toBe(true);
  return { clients, both, send };
}

test('each record of a client is bounded, says what was cut, and so are all that are held, also when it has left', () => {
  const { clients, both, send } = joined();
  const many = Array.from({ length: 100_000 }, (_, n) => n);
  const snapshot = { value: LARGE, tags: [LARGE], context: LARGE, output: many, error: { message: LARGE } };
  for (let n = 0; n < 20; n += 1) {
    send({ type: '@xstate.event', sessionId: 'x:0', event: { type: LARGE, data: LARGE } });
    send({ type: '@xstate.snapshot', sessionId: 'x:0', event: { type: LARGE }, snapshot });
  }
  for (const record of both.recordsFrom(0).records) expect(sizeOf(record)).toBeLessThan(100_000);
  const last = both.recordsFrom(0).records.findLast(({ kind }) => kind === 'event') as InspectionRecord;
  expect(JSON.stringify(last)).toContain('(900000 characters)');
  for (let n = 0; n < 2_000; n += 1)
    send({ type: '@xstate.event', sessionId: 'x:0', event: { type: 'a', data: 'x'.repeat(20_000) } });
  clients.left('client-1');
  const held = both.recordsFrom(0);
  expect(sizeOf(held.records)).toBeLessThan(17_000_000);
  expect(held.records[0]?.seq).toBe(held.from);
  expect(held.records.length).toBe(both.nextSeq - held.from);
});

test('the states of all actors are bounded together, and stay in the order that they came in', () => {
  const { clients, send } = joined();
  for (let n = 0; n < 60; n += 1)
    send({ type: '@xstate.actor', sessionId: `x:${n}`, snapshot: { value: LARGE, tags: [LARGE], context: LARGE } });
  send({ type: '@xstate.snapshot', sessionId: 'x:0', snapshot: { value: 'small' } });
  const actors = clients.registry().map(({ id }) => clients.actor(id));
  expect(actors.map((actor) => actor?.id)).toEqual(actors.map((_, n) => `client-1/x:${n}`));
  expect(sizeOf(actors)).toBeLessThan(17_000_000);
  expect(actors.some((actor) => actor?.context === '[too large]')).toBe(true);
  expect(actors[0]?.value).toBe('small');
});

test('one definition is looked at once, whatever comes of it', () => {
  const { send } = joined();
  const parse = vi.spyOn(JSON, 'parse');
  onTestFinished(() => parse.mockRestore());
  const good = JSON.stringify({ id: 'a', states: { a: { on: { x: 'b' } }, b: {} }, meta: 'm'.repeat(200_000) });
  const bad = JSON.stringify({ id: 'b', states: { a: { on: { x: { target: Array(60_000).fill('b') } } }, b: {} } });
  for (const definition of [good, bad]) {
    for (let n = 0; n < 5; n += 1) send({ type: '@xstate.actor', sessionId: `x:${n}`, definition });
    expect(parse.mock.calls.filter(([text]) => text === definition)).toHaveLength(1);
  }
});
