/**
 * An exported history: a file of lines as `exportLines` makes them. Nothing of it can be changed, and nothing happens in it any more.
 *
 * F1  A line is read only up to its limit, and records are numbered anew, so that a file can neither exhaust the reader nor lie
 *     about what is missing.
 * F2  What is no line of an export is told with the number of the line; nothing is left out in silence.
 */
import { randomUUID } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { PerdureError, messageOf } from '../../errors.ts';
import type { Chart } from '../charts/chart.ts';
import { isChart } from '../charts/chart-check.ts';
import {
  PROTOCOL_VERSION,
  type ActorDetail,
  type ActorInfo,
  type ExportLine,
  type InspectionRecord,
  type RecordKind,
} from '../protocol.ts';
import { RecordLog } from '../recorder/record-log.ts';
import type { HeldRecords, PastQuery, Source } from './source.ts';
import { unknownView } from './views.ts';

export interface FileSourceOptions {
  /** Bytes of a line. Default: 16 MiB. */
  readonly maxLineBytes?: number;
  /** Records that are held, the last of those that there are. Default: 200,000. */
  readonly maxRecords?: number;
}

const MAX_LINE_BYTES = 16 * 1024 * 1024;
const MAX_RECORDS = 200_000;
const MOST_ACTORS = 100_000;
/** Objects and lists inside others: what is shown of a value has fewer, and far more could be read, and not written again. */
const MOST_DEEP = 1_000;
const LINE_FEED = 10;

/** Reads an exported history. Throws STORE_UNOPENABLE for a file that cannot be read, and EXPORT_INVALID naming the line. */
export async function fileSource(path: string, options: FileSourceOptions = {}): Promise<Source> {
  const { maxLineBytes = MAX_LINE_BYTES, maxRecords = MAX_RECORDS } = options;
  const file = new FileSource(path, maxRecords);
  let number = 0;
  for await (const line of linesOf(path, maxLineBytes)) {
    number += 1;
    if (line !== '') file.take(parsed(path, line, number), number);
  }
  if (!file.isWhole) throw invalid(path, number, 'expected an export, got no line of one');
  return file;
}

/** Throws EXPORT_INVALID for a line that is longer than the limit. */
async function* linesOf(path: string, most: number): AsyncGenerator<string, void, undefined> {
  let parts: Buffer[] = [];
  let length = 0;
  let number = 1;
  try {
    for await (const chunk of createReadStream(path) as AsyncIterable<Buffer>) {
      let start = 0;
      for (let end = chunk.indexOf(LINE_FEED); ; end = chunk.indexOf(LINE_FEED, start)) {
        const part = chunk.subarray(start, end < 0 ? undefined : end);
        parts.push(part);
        length += part.length;
        if (length > most) throw invalid(path, number, `expected at most ${most} bytes, got more`);
        if (end < 0) break;
        yield Buffer.concat(parts, length).toString('utf8').trimEnd();
        [parts, length, start] = [[], 0, end + 1];
        number += 1;
      }
    }
  } catch (error) {
    if (error instanceof PerdureError) throw error;
    const message = `The export ${path} cannot be read: ${messageOf(error)}.`;
    throw new PerdureError('STORE_UNOPENABLE', message, { cause: error, facts: { path } });
  }
  if (length > 0) yield Buffer.concat(parts, length).toString('utf8').trimEnd();
}

function parsed(path: string, line: string, number: number): ExportLine {
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch (cause) {
    throw invalid(path, number, `expected JSON: ${messageOf(cause)}`, cause);
  }
  if (isObject(value) && value['type'] === 'error')
    throw invalid(path, number, `the export ended before its time: ${String(value['message'])}`);
  if (isDeeper(value, MOST_DEEP)) throw invalid(path, number, `expected at most ${MOST_DEEP} levels, got more`);
  const wrong = wrongLine(value);
  if (wrong !== undefined) throw invalid(path, number, wrong);
  return value as ExportLine;
}

function isDeeper(value: unknown, most: number): boolean {
  if (!isObject(value)) return false;
  return most === 0 || Object.values(value).some((inner) => isDeeper(inner, most - 1));
}

type Fields = Readonly<Record<string, unknown>>;

const isObject = (value: unknown): value is Fields => typeof value === 'object' && value !== null;
const isActor = (value: unknown) =>
  isObject(value) &&
  typeof value['id'] === 'string' &&
  typeof value['name'] === 'string' &&
  Array.isArray(value['tags']) &&
  typeof value['status'] === 'string';

const KINDS: Readonly<Record<RecordKind, true>> = {
  started: true,
  event: true,
  microstep: true,
  action: true,
  snapshot: true,
  stopped: true,
  turn: true,
};

/** Enough is looked at that what comes after can take it for what it says it is. */
function wrongLine(value: unknown): string | undefined {
  if (!isObject(value)) return 'expected an object';
  switch (value['type']) {
    case 'export':
      if (value['version'] !== PROTOCOL_VERSION)
        return `expected version ${PROTOCOL_VERSION}, got ${String(value['version'])}: open it with the Perdure that made it`;
      return isObject(value['hello']) ? undefined : 'expected who made the export';
    case 'registry':
      return Array.isArray(value['actors']) && value['actors'].length <= MOST_ACTORS && value['actors'].every(isActor)
        ? undefined
        : `expected at most ${MOST_ACTORS} actors`;
    case 'chart':
      return isChart(value['chart']) ? undefined : 'expected a chart, whole and sound';
    case 'detail':
      return isActor(value['detail']) ? undefined : 'expected an actor';
    case 'record':
      return wrongRecord(value['record']);
    default:
      return `expected a line of an export, got the type ${JSON.stringify(value['type'])}`;
  }
}

function wrongRecord(record: unknown): string | undefined {
  if (!isObject(record)) return 'expected a record';
  const { kind, actor, at, event, info, causes, changed } = record;
  if (typeof kind !== 'string' || !Object.hasOwn(KINDS, kind)) return `expected a record, got the kind ${String(kind)}`;
  if (typeof actor !== 'string' || typeof at !== 'number') return 'expected a record with its actor and its time';
  if (kind === 'started' && !isActor(info)) return 'expected a record with the actor that was started';
  if (kind === 'event' && !(isObject(event) && typeof event['type'] === 'string'))
    return 'expected an event with a type';
  if (kind === 'turn' && !(Array.isArray(causes) && Array.isArray(changed))) return 'expected a turn with its causes';
  return undefined;
}

function invalid(path: string, line: number, what: string, cause?: unknown): PerdureError {
  return new PerdureError('EXPORT_INVALID', `${path}, line ${line}: ${what}.`, { facts: { path, line }, cause });
}

class FileSource implements Source {
  readonly epoch = randomUUID();
  readonly views: readonly string[] = [];
  readonly #path: string;
  readonly #log: RecordLog;
  readonly #charts = new Map<string, Chart>();
  readonly #details = new Map<string, ActorDetail>();
  #actors: readonly ActorInfo[] = [];
  moreActors = 0;
  #hello: Extract<ExportLine, { type: 'export' }>['hello'] | undefined;
  #hasTurns = false;

  constructor(path: string, maxRecords: number) {
    this.#path = path;
    this.#log = new RecordLog(maxRecords);
  }

  /** Throws EXPORT_INVALID when it is not the first line and says who made it, or the other way round. */
  take(line: ExportLine, number: number): void {
    if ((line.type === 'export') !== (this.#hello === undefined))
      throw invalid(this.#path, number, 'expected the first line, and no other, to say who made the export');
    switch (line.type) {
      case 'export':
        this.#hello = line.hello;
        break;
      case 'registry':
        this.#actors = line.actors;
        this.moreActors = Number.isSafeInteger(line.more) ? Number(line.more) : 0;
        break;
      case 'chart':
        this.#charts.set(line.chart.id, line.chart);
        break;
      case 'detail':
        this.#details.set(line.detail.id, line.detail);
        break;
      case 'record':
        this.#hasTurns ||= line.record.kind === 'turn';
        this.#log.add([line.record]);
    }
  }

  get isWhole(): boolean {
    return this.#hello !== undefined;
  }

  get capabilities(): Source['capabilities'] {
    return { history: this.#hasTurns, live: false, supervisor: false };
  }

  get store(): Source['store'] {
    const { path, id } = this.#hello?.store ?? {};
    return typeof path === 'string' && typeof id === 'string' ? { path, id } : null;
  }

  get startedAt(): number | null {
    const at: unknown = this.#hello?.startedAt;
    return typeof at === 'number' ? at : null;
  }

  get pid(): number | null {
    const pid: unknown = this.#hello?.pid;
    return typeof pid === 'number' ? pid : null;
  }

  get nextSeq(): number {
    return this.#log.next;
  }

  /** Nothing happens any more. */
  subscribe(): { unsubscribe(): void } {
    return { unsubscribe: () => {} };
  }

  registry(): readonly ActorInfo[] {
    return this.#actors;
  }

  recordsFrom(seq: number): HeldRecords {
    return this.#log.from(seq);
  }

  /** Of before the export it holds no states. */
  actor(id: string, seq?: number): ActorDetail | undefined {
    return seq === undefined ? this.#details.get(id) : undefined;
  }

  chart(id: string): Chart | undefined {
    return this.#charts.get(id);
  }

  view(name: string): never {
    throw unknownView(name, this.views);
  }

  async *history({ from = 0, tree, signal }: PastQuery = {}): AsyncIterable<InspectionRecord> {
    for (const record of this.#log.from(0).records) {
      if (signal?.aborted === true)
        throw new PerdureError('ABORTED', 'The reading of the history was aborted.', { cause: signal.reason });
      if (record.kind !== 'turn' || record.turn < from) continue;
      const isOfTree = (id: string) => tree === undefined || id === tree || id.startsWith(`${tree}/`);
      if (isOfTree(record.actor) || record.changed.some(isOfTree)) yield record;
    }
  }

  async close(): Promise<void> {}
}
