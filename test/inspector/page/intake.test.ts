import { array, assert, constantFrom, integer, oneof, property, record, tuple, type Arbitrary } from 'fast-check';
import { expect, test } from 'vitest';
import { emptyIntake, registryAfter, take, type Intake } from '../../../inspector/page/intake.ts';
import { RecordList } from '../../../inspector/page/record-list.ts';
import type { ActorInfo, InspectionRecord, ServerHello, ServerMessage } from '../../../inspector/protocol.ts';

const ids = constantFrom('tree', 'tree/a', 'tree/b');

function infoOf(id: string, status: ActorInfo['status'], at: number): ActorInfo {
  const parent = id === 'tree' ? null : 'tree';
  const rest = { systemId: null, src: null, chart: null, value: null, tags: [] };
  return { id, parent, name: id, status, changedAt: at, ...rest };
}

const infos = tuple(ids, integer({ min: 0, max: 9 })).map(([id, at]) => infoOf(id, 'active', at));
const unnumbered: Arbitrary<InspectionRecord> = oneof(
  infos.map((info): InspectionRecord => ({ kind: 'started', seq: 0, at: 1, actor: info.id, info })),
  tuple(ids, integer()).map(([actor, value]): InspectionRecord => ({
    kind: 'snapshot',
    seq: 0,
    at: 2,
    actor,
    event: 'go',
    status: 'active',
    value,
    tags: [],
    contextChanged: false,
  })),
  ids.map((actor): InspectionRecord => ({ kind: 'stopped', seq: 0, at: 3, actor, status: 'stopped' })),
);
const messages: Arbitrary<ServerMessage> = oneof(
  record({ type: constantFrom('registry' as const), actors: array(infos, { maxLength: 3 }) }),
  record({ type: constantFrom('records' as const), records: array(unnumbered, { maxLength: 4 }) }),
);

function registryOf(before: ReadonlyMap<string, ActorInfo>, intake: Intake): ReadonlyMap<string, ActorInfo> {
  return registryAfter(before, intake);
}

test('it comes to the same whether messages are taken in one by one or all at once', () => {
  assert(
    property(array(messages, { maxLength: 12 }), (all) => {
      let oneByOne: ReadonlyMap<string, ActorInfo> = new Map();
      for (const message of all) oneByOne = registryOf(oneByOne, take(emptyIntake(), message));
      const atOnce = registryOf(new Map(), all.reduce(take, emptyIntake()));
      expect(Object.fromEntries(atOnce)).toEqual(Object.fromEntries(oneByOne));
    }),
  );
});

test('an actor that nobody has told of is not made up by what happens to it', () => {
  const stopped: InspectionRecord = { kind: 'stopped', seq: 1, at: 1, actor: 'who', status: 'stopped' };
  expect(registryOf(new Map(), take(emptyIntake(), { type: 'records', records: [stopped] })).size).toBe(0);
});

test('an actor that changed while nobody looked is shown as it is, whatever is told of the time before', () => {
  const hello = { type: 'hello', seq: 5 } as ServerHello;
  const info = { ...infoOf('door', 'active', 0), value: 'open' };
  const moved = (seq: number, value: string): InspectionRecord => ({
    kind: 'snapshot',
    seq,
    at: seq,
    actor: 'door',
    event: 'go',
    status: 'active',
    value,
    tags: [],
    contextChanged: false,
  });
  const first = [hello, { type: 'registry', actors: [info] }] as const satisfies readonly ServerMessage[];
  const intake = [...first, { type: 'records' as const, records: [moved(2, 'ajar')] }].reduce(take, emptyIntake());
  const atOnce = registryOf(new Map(), intake);
  expect(atOnce.get('door')?.value).toBe('open');
  const later = take(emptyIntake(), { type: 'records', records: [moved(3, 'ajar')] });
  expect(registryAfter(atOnce, later, hello.seq)).toBe(atOnce);
  const live = take(emptyIntake(), { type: 'records', records: [moved(5, 'shut')] });
  expect(registryAfter(atOnce, live, hello.seq).get('door')?.value).toBe('shut');
});

test('nothing new leaves the registry the same object, so that nothing is drawn again', () => {
  const before = new Map([['tree', infoOf('tree', 'active', 0)]]);
  expect(registryOf(before, take(emptyIntake(), { type: 'committed', turn: 3, at: 1 }))).toBe(before);
});

test('a hello begins anew: what was heard of the connection before is not mixed with it', () => {
  const heard = take(emptyIntake(), { type: 'dropped', from: 1, to: 5, reason: 'slow' });
  expect(take(heard, helloOf(7))).toEqual({ ...emptyIntake(), hello: helloOf(7) });
});

test('what a newer server says, and this page does not know, changes nothing', () => {
  const intake = emptyIntake();
  expect(take(intake, { type: 'weather' } as unknown as ServerMessage)).toBe(intake);
});

test('actors that have ended are forgotten when there are too many of them, the first ones first, and no parent before its child', () => {
  const records: InspectionRecord[] = [];
  const start = (id: string, parent: string | null, status: ActorInfo['status']): void => {
    const info = { ...infoOf(id, status, 0), parent };
    records.push({ kind: 'started', seq: records.length, at: 0, actor: id, info });
  };
  start('parent', null, 'done');
  start('parent/child', 'parent', 'active');
  for (let i = 0; i < 2_500; i++) start(`ended-${i}`, null, 'done');
  const known = registryOf(new Map(), take(emptyIntake(), { type: 'records', records }));
  expect(known.size).toBeLessThanOrEqual(2_003);
  expect(known.has('parent')).toBe(true);
  expect(known.has('ended-0')).toBe(false);
  expect(known.has('ended-2499')).toBe(true);
});

function helloOf(seq: number) {
  const capabilities = { commands: false, history: false, live: true, supervisor: false };
  const server = { name: 'perdure', version: '0' };
  const rest = { resumed: false, capabilities, store: null, badge: null, startedAt: 0, pid: null };
  return { type: 'hello' as const, version: 1, server, epoch: 'e', seq, ...rest };
}

function recordOf(seq: number): InspectionRecord {
  return { kind: 'stopped', seq, at: 0, actor: 'a', status: 'done' };
}

test('records are held once each, in order, the newest of them, and found by their number', () => {
  assert(
    property(array(array(integer({ min: 0, max: 60 }), { maxLength: 8 })), (batches) => {
      const list = new RecordList(10);
      let next = 0;
      for (const gaps of batches) {
        const batch = gaps.map((gap) => recordOf((next += gap)));
        list.add(batch);
        list.add(batch);
      }
      const seqs = list.items.map(({ seq }) => seq);
      expect(seqs).toEqual([...new Set(seqs)].toSorted((a, b) => a - b));
      expect(list.length).toBeLessThanOrEqual(11);
      for (const seq of seqs) expect(list.find(seq)?.seq).toBe(seq);
      expect(list.find(-1)).toBeUndefined();
      if (next > 0) expect(seqs.at(-1)).toBe(next);
    }),
  );
});

test('a registry that leaves actors out says how many', () => {
  const message = { type: 'registry', actors: [], more: 7 } as ServerMessage;
  expect(take(emptyIntake(), message).registry?.more).toBe(7);
  expect(take(emptyIntake(), { type: 'registry', actors: [] }).registry?.more).toBe(0);
});
