import { array, assert, jsonValue, oneof, property, record, constantFrom, string } from 'fast-check';
import { expect, test } from 'vitest';
import { readExport } from '../../../inspector/page/export-lines.ts';

const hello = { type: 'hello', version: 1, server: { name: 'perdure', version: '0.1.0' }, epoch: 'e', seq: 9 };
const first = { type: 'export', version: 1, at: 5, hello };
const actor = { id: 'tree', parent: null, name: 'tree' };
const chart = { id: 'c', states: [], transitions: [] };
const turn = { kind: 'turn', seq: 2, at: 2, actor: 'tree', turn: 2, causes: [], changed: [] };
const event = { kind: 'event', seq: 1, at: 1, actor: 'tree', from: null, event: { type: 'go' } };

function linesOf(...lines: readonly unknown[]): string {
  return lines.map((line) => (typeof line === 'string' ? line : JSON.stringify(line))).join('\n');
}

test('an export is read: its registry, charts, details, and its records in their order', () => {
  const history = readExport(
    linesOf(
      first,
      { type: 'registry', actors: [actor] },
      { type: 'chart', chart },
      { type: 'detail', detail: { ...actor, context: { n: 1 } } },
      { type: 'record', record: turn },
      { type: 'record', record: event },
      '',
    ),
  );
  expect(history.exportedAt).toBe(5);
  expect(history.registry).toEqual([actor]);
  expect(history.charts.get('c')).toEqual(chart);
  expect(history.details.get('tree')).toMatchObject({ context: { n: 1 } });
  expect(history.records.map(({ seq }) => seq)).toEqual([1, 2]);
  expect(history.unread).toBe(0);
});

test('a line that was cut, or says what is not known, is counted and left out', () => {
  const history = readExport(
    linesOf(first, '{"type":"record","rec', { type: 'weather' }, { type: 'record', record: event }),
  );
  expect(history.records).toHaveLength(1);
  expect(history.unread).toBe(2);
});

test('what is no export is refused in words', () => {
  expect(() => readExport('')).toThrow(/begin with a line of type "export"/);
  expect(() => readExport('{"some":"json"}')).toThrow(/export/);
});

test('whatever stands in a file, either it is refused in words or all that is read has what views rely on', () => {
  const lines = oneof(
    string(),
    jsonValue(),
    record({ type: constantFrom('registry', 'chart', 'detail', 'record'), actors: jsonValue(), record: jsonValue() }),
    record({
      type: constantFrom('record'),
      record: record({
        kind: constantFrom('event', 'turn', 'started'),
        seq: jsonValue(),
        at: jsonValue(),
        actor: string(),
      }),
    }),
  );
  assert(
    property(array(lines, { maxLength: 10 }), (all) => {
      const { records, registry } = readExport(linesOf(first, ...all));
      for (const { seq, at, actor: id } of records) {
        expect([typeof seq, typeof at, typeof id]).toEqual(['number', 'number', 'string']);
      }
      for (const { id } of registry) expect(typeof id).toBe('string');
    }),
  );
});
