/** An exported history: NDJSON of {@link ExportLine}s, read as data that anybody may have written. Pure. */
import type { Chart } from '../charts/chart.ts';
import type { ActorDetail, ActorInfo, ExportLine, InspectionRecord, ServerHello } from '../protocol.ts';

export interface ExportedHistory {
  readonly hello: ServerHello;
  readonly exportedAt: number;
  readonly registry: readonly ActorInfo[];
  readonly charts: ReadonlyMap<string, Chart>;
  readonly details: ReadonlyMap<string, ActorDetail>;
  readonly records: readonly InspectionRecord[];
  /** Lines that are not of an export. */
  readonly unread: number;
}

/** Reads the text; throws an Error that says what is wrong when it is no export. */
export function readExport(text: string): ExportedHistory {
  let first: Extract<ExportLine, { type: 'export' }> | undefined;
  const registry = new Map<string, ActorInfo>();
  const charts = new Map<string, Chart>();
  const details = new Map<string, ActorDetail>();
  const records: InspectionRecord[] = [];
  let unread = 0;
  for (const text_ of linesOf(text)) {
    const line = lineOf(text_);
    if (line === undefined) unread += 1;
    else if (line.type === 'export') first ??= line;
    else if (line.type === 'registry') for (const actor of line.actors) registry.set(actor.id, actor);
    else if (line.type === 'chart') charts.set(line.chart.id, line.chart);
    else if (line.type === 'detail') details.set(line.detail.id, line.detail);
    else records.push(line.record);
  }
  if (first === undefined) {
    throw new Error(
      'It does not begin with a line of type "export", as what `perdure inspect` and this page export does.',
    );
  }
  records.sort((a, b) => a.seq - b.seq);
  return {
    hello: first.hello,
    exportedAt: first.at,
    registry: [...registry.values()],
    charts,
    details,
    records,
    unread,
  };
}

function* linesOf(text: string): Generator<string> {
  for (let from = 0; from < text.length;) {
    const end = text.indexOf('\n', from);
    const line = end === -1 ? text.slice(from) : text.slice(from, end);
    if (line.trim() !== '') yield line;
    from = end === -1 ? text.length : end + 1;
  }
}

const RECORD_KINDS = new Set(['started', 'event', 'microstep', 'action', 'snapshot', 'stopped', 'turn']);

/** A line, when it has what its type promises. */
function lineOf(text: string): ExportLine | undefined {
  let line: unknown;
  try {
    line = JSON.parse(text);
  } catch {
    return undefined;
  }
  if (!isRecord(line)) return undefined;
  const { type } = line;
  const isRight =
    (type === 'export' && isRecord(line['hello']) && isRecord(line['hello']['server'])) ||
    (type === 'registry' && Array.isArray(line['actors']) && line['actors'].every(hasId)) ||
    (type === 'chart' && hasId(line['chart']) && Array.isArray(line['chart']['states'])) ||
    (type === 'detail' && hasId(line['detail'])) ||
    (type === 'record' && isInspectionRecord(line['record']));
  return isRight ? (line as unknown as ExportLine) : undefined;
}

function isInspectionRecord(value: unknown): boolean {
  if (!isRecord(value)) return false;
  const { kind, seq, at, actor } = value;
  if (typeof kind !== 'string' || !RECORD_KINDS.has(kind)) return false;
  if (typeof seq !== 'number' || typeof at !== 'number' || typeof actor !== 'string') return false;
  if (kind === 'event') return isRecord(value['event']) && typeof value['event']['type'] === 'string';
  if (kind === 'started') return hasId(value['info']);
  if (kind === 'turn') return Array.isArray(value['causes']) && Array.isArray(value['changed']);
  return true;
}

function hasId(value: unknown): value is Record<string, unknown> {
  return isRecord(value) && typeof value['id'] === 'string';
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
