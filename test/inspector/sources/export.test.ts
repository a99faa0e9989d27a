/** What is exported, and opened again without its source. */
import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { expect, onTestFinished, test } from 'vitest';
import { createMachine } from 'xstate';
import type { ChartState } from '../../../inspector/charts/chart.ts';
import { chartOf } from '../../../inspector/charts/chart-of.ts';
import { exportLines } from '../../../inspector/sources/export.ts';
import { fileSource } from '../../../inspector/sources/file-source.ts';
import { liveSource } from '../../../inspector/sources/live-source.ts';
import type { ExportLine, InspectionRecord } from '../../../inspector/protocol.ts';
import type { Source } from '../../../inspector/sources/source.ts';
import { storeSource } from '../../../inspector/sources/store-source.ts';
import { createDurableActor } from '../../../index.ts';
import { Cli } from '../../support/cli.ts';
import { openInspected, populate } from '../../support/inspected.ts';
import { quickStore, tempFolder } from '../../support/temp.ts';
import { until } from '../../support/turns.ts';

async function saved(source: Source, query = {}): Promise<{ path: string; lines: ExportLine[] }> {
  const lines: ExportLine[] = [];
  for await (const line of exportLines(source, query)) lines.push(line);
  const path = join(tempFolder(), 'work.ndjson');
  writeFileSync(path, lines.map((line) => `${JSON.stringify(line)}\n`).join(''));
  return { path, lines };
}

async function all(records: AsyncIterable<InspectionRecord>): Promise<InspectionRecord[]> {
  const found: InspectionRecord[] = [];
  for await (const record of records) found.push(record);
  return found;
}

const unnumbered = (records: readonly InspectionRecord[]) => records.map((record) => ({ ...record, seq: 0 }));

test('an export of a live supervisor, opened from its file, has the same actors, charts, states and records', async () => {
  const supervisor = await openInspected(quickStore());
  onTestFinished(() => supervisor.close());
  const source = liveSource(supervisor);
  onTestFinished(() => source.close());
  const told: InspectionRecord[] = [];
  source.subscribe({ records: (records) => void told.push(...records), committed: () => {} });
  await populate(supervisor);
  await until(() => told.some(({ kind }) => kind === 'snapshot'));
  const { path, lines } = await saved(source);
  const file = await fileSource(path);
  expect(file.capabilities).toEqual({ history: true, live: false, supervisor: false });
  expect([file.store, file.pid, file.views]).toEqual([source.store, process.pid, []]);
  expect(file.registry()).toEqual(JSON.parse(JSON.stringify(source.registry())));
  for (const { id, chart } of source.registry()) {
    expect(file.actor(id)).toEqual(JSON.parse(JSON.stringify(source.actor(id))));
    expect(file.chart(chart ?? '')).toEqual(source.chart(chart ?? ''));
    // It holds no states of before.
    expect(file.actor(id, file.nextSeq - 1)).toBeUndefined();
  }
  expect(unnumbered(await all(file.history()))).toEqual(unnumbered(await all(source.history())));
  const { from, records } = file.recordsFrom(0);
  const exported = lines.flatMap((line) => (line.type === 'record' ? [line.record] : []));
  expect(from).toBe(1);
  expect(records.map(({ seq }) => seq)).toEqual(records.map((_, i) => i + 1));
  expect(unnumbered(records)).toEqual(unnumbered(JSON.parse(JSON.stringify(exported)) as InspectionRecord[]));
  // Told once: by the history, and not again as held.
  const turns = exported.flatMap((record) => (record.kind === 'turn' ? [record.turn] : []));
  expect(new Set(turns).size).toBe(turns.length);
  expect(exported.map(({ at }) => at)).toEqual(exported.map(({ at }) => at).toSorted((a, b) => a - b));
  expect(JSON.stringify(lines)).not.toMatch(/hunter22|tok-123456/);
});

test('only what is asked for is exported: a tree, and the history from a turn on', async () => {
  const path = quickStore();
  const supervisor = await openInspected(path);
  onTestFinished(() => supervisor.close());
  await populate(supervisor);
  const source = storeSource(path);
  onTestFinished(() => source.close());
  const late = await saved(source, { from: 5 });
  const turns = late.lines.flatMap((line) =>
    line.type === 'record' && line.record.kind === 'turn' ? [line.record.turn] : [],
  );
  expect(Math.min(...turns)).toBe(5);
  await expect(saved(source, { tree: 'other' })).rejects.toMatchObject({ code: 'TREE_NOT_FOUND' });
});

test('an export says how many actors it has not', async () => {
  const path = quickStore();
  const durable = await createDurableActor(createMachine({}), { store: path });
  onTestFinished(() => durable.close());
  const whole = storeSource(path);
  onTestFinished(() => whole.close());
  const source = {
    ...whole,
    moreActors: 3,
    registry: () => whole.registry(),
    actor: (id: string) => whole.actor(id),
    chart: (id: string) => whole.chart(id),
    recordsFrom: (seq: number) => whole.recordsFrom(seq),
  } as Source;
  const exported = await saved(source);
  expect(exported.lines[1]).toMatchObject({ type: 'registry', more: 3 });
  expect((await fileSource(exported.path)).moreActors).toBe(3);
});

const HELLO = { type: 'export', version: 1, at: 0, hello: { type: 'hello', capabilities: {}, store: null } };

const CHART = /line 2: expected a chart, whole and sound/;

function chartLine(change: Partial<ChartState>): string {
  const chart = chartOf(createMachine({ id: 'c' }));
  return JSON.stringify({ type: 'chart', chart: { ...chart, states: [{ ...chart.states[0], ...change }] } });
}

test.each([
  ['no JSON', '{"type":"record"', /line 2: expected JSON/],
  ['another type', '{"type":"row"}', /line 2: expected a line of an export, got the type "row"/],
  [
    'a record of another kind',
    '{"type":"record","record":{"kind":"x","actor":"a","at":1}}',
    /line 2: .*got the kind x/,
  ],
  ['a turn without causes', '{"type":"record","record":{"kind":"turn","actor":"a","at":1}}', /line 2: expected a turn/],
  ['actors that are none', '{"type":"registry","actors":[1]}', /line 2: expected at most 100000 actors/],
  [
    'the end of an export that failed',
    '{"type":"error","message":"gone"}',
    /line 2: the export ended before its time: gone/,
  ],
  ['a chart without its parts', '{"type":"chart","chart":{"id":"c","states":[null],"transitions":[]}}', CHART],
  ['a chart whose states are inside each other', chartLine({ children: ['c'] }), CHART],
  ['a chart with a state that is not there', chartLine({ initial: 'c.a', children: ['c.a'] }), CHART],
  [
    'an event that is nested too deep',
    `{"type":"record","record":${'['.repeat(2_000)}${']'.repeat(2_000)}}`,
    /line 2: expected at most 1000 levels/,
  ],
  ['a second beginning', JSON.stringify(HELLO), /line 2: expected the first line, and no other/],
  ['a line that is too long', `{"type":"row","x":"${'x'.repeat(6_000)}"}`, /line 2: expected at most 5000 bytes/],
])('a file with %s is refused, naming the line', async (_, line, message) => {
  const path = join(tempFolder(), 'bad.ndjson');
  writeFileSync(path, `${JSON.stringify(HELLO)}\n${line}\n`);
  await expect(fileSource(path, { maxLineBytes: 5_000 })).rejects.toMatchObject({
    code: 'EXPORT_INVALID',
    message: expect.stringMatching(message) as string,
    facts: { path, line: 2 },
  });
});

test('whatever is in a file, it is opened or refused in words, and nothing else is thrown', async () => {
  const folder = tempFolder();
  const path = join(folder, 'any.ndjson');
  const line = fc.oneof(
    fc.json(),
    fc.string(),
    fc
      .record({
        type: fc.constantFrom('record', 'chart', 'detail', 'registry', 'export'),
        record: fc.jsonValue(),
        chart: fc.jsonValue(),
        actors: fc.jsonValue(),
      })
      .map((one) => JSON.stringify(one)),
  );
  await fc.assert(
    fc.asyncProperty(fc.array(line, { maxLength: 4 }), async (lines) => {
      writeFileSync(path, [JSON.stringify(HELLO), ...lines].join('\n'));
      const opened = await fileSource(path).catch((error: unknown) => error);
      if (opened instanceof Error) expect(opened).toMatchObject({ code: 'EXPORT_INVALID' });
      else expect((opened as Source).recordsFrom(0).records.length).toBeLessThanOrEqual(lines.length);
    }),
    { numRuns: 200 },
  );
});

test('of more records than are held the oldest are gone, and it is said from where on they are there', async () => {
  const path = join(tempFolder(), 'long.ndjson');
  const record = { kind: 'stopped', actor: 'a', at: 1, seq: 9, status: 'done' };
  const line = JSON.stringify({ type: 'record', record });
  writeFileSync(path, [JSON.stringify(HELLO), ...Array.from({ length: 25 }, () => line)].join('\r\n'));
  const file = await fileSource(path, { maxRecords: 10 });
  const { from, records } = file.recordsFrom(1);
  expect([from, records.length, file.nextSeq]).toEqual([16, 10, 26]);
});

test('a file that is not there, and one that is no export, are told apart', async () => {
  const folder = tempFolder();
  await expect(fileSource(join(folder, 'none'))).rejects.toMatchObject({ code: 'STORE_UNOPENABLE' });
  writeFileSync(join(folder, 'empty'), '');
  await expect(fileSource(join(folder, 'empty'))).rejects.toMatchObject({ code: 'EXPORT_INVALID' });
});

test('the command line exports a store that is in use, to a file that was not there', async () => {
  const folder = tempFolder();
  const store = join(folder, 'work.db');
  const supervisor = await openInspected(store);
  onTestFinished(() => supervisor.close());
  await supervisor.execute('add', { n: 1 }, { id: 'one' });
  const cli = Cli.compile();
  expect(await cli.run(['export', '-o', 'work.ndjson'], { cwd: folder })).toMatchObject({
    code: 0,
    stdout: '',
    stderr: '',
  });
  const file = await fileSource(join(folder, 'work.ndjson'));
  expect(file.registry().map(({ id }) => id)).toContain('main/executor');
  expect(await cli.run(['export', '-o', 'work.ndjson'], { cwd: folder })).toMatchObject({ code: 2 });
  expect(existsSync(join(folder, 'work.ndjson'))).toBe(true);
  // Nobody commits any more, not even what was measured.
  await supervisor.close();
  const untimed = (text: string) => text.split('\n').slice(1);
  const [exported, history] = await Promise.all([
    cli.run(['export', 'work.db'], { cwd: folder }),
    cli.run(['history', '--ndjson', 'work.db'], { cwd: folder }),
  ]);
  expect(untimed(exported.stdout).length).toBeGreaterThan(20);
  expect(untimed(history.stdout)).toEqual(untimed(exported.stdout));
}, 60_000);
