/** A source that says what a test has it say. */
import { PerdureError } from '../../errors.ts';
import type { Chart } from '../../inspector/charts/chart.ts';
import { chartOf } from '../../inspector/charts/chart-of.ts';
import type { ActorDetail, ActorInfo, InspectionRecord } from '../../inspector/protocol.ts';
import type { HeldRecords, Source, SourceListener } from '../../inspector/sources/source.ts';
import { createMachine } from 'xstate';

const MACHINE = createMachine({ id: 'door', initial: 'shut', states: { shut: { on: { open: 'open' } }, open: {} } });

export class StillSource implements Source {
  readonly capabilities = { history: true, live: true, supervisor: false };
  readonly store = null;
  readonly epoch = 'epoch-1';
  readonly startedAt = 1_000;
  readonly pid = 1;
  readonly views = ['echo'];
  readonly charts: Chart[] = [chartOf(MACHINE)];
  readonly details = new Map<string, ActorDetail>();
  records: InspectionRecord[] = [];
  nextSeq = 1;
  /** Up to, and without, it records are gone. */
  firstSeq = 1;
  isClosed = false;
  readonly listeners = new Map<SourceListener, boolean>();

  constructor() {
    this.add('door');
  }

  /** Adds an actor. */
  add(id: string, context: unknown = {}): ActorDetail {
    const detail: ActorDetail = {
      id,
      parent: null,
      name: id,
      systemId: null,
      src: 'door',
      chart: this.charts[0]?.id ?? null,
      status: 'active',
      value: 'shut',
      tags: [],
      changedAt: 1_000,
      context,
      output: null,
      error: null,
      timers: [],
      accepts: [],
    };
    this.details.set(id, detail);
    return detail;
  }

  /** Something happens. */
  tell(count: number, payload = ''): void {
    const records = Array.from({ length: count }, (): InspectionRecord => {
      const event = { type: 'open', payload };
      return { kind: 'event', seq: this.nextSeq++, at: 2_000, actor: 'door', event, from: null };
    });
    this.records.push(...records);
    for (const listener of this.listeners.keys()) listener.records(records);
  }

  /** Forgets the oldest records that it holds. */
  forget(upTo: number): void {
    this.records = this.records.filter(({ seq }) => seq >= upTo);
    this.firstSeq = upTo;
  }

  subscribe(listener: SourceListener, { detail = false } = {}): { unsubscribe(): void } {
    this.listeners.set(listener, detail);
    return { unsubscribe: () => void this.listeners.delete(listener) };
  }

  registry(): readonly ActorInfo[] {
    return [...this.details.values()].map(
      ({ context: _c, output: _o, error: _e, timers: _t, accepts: _a, ...info }) => info,
    );
  }

  recordsFrom(seq: number): HeldRecords {
    return { from: Math.max(seq, this.firstSeq), records: this.records.filter((record) => record.seq >= seq) };
  }

  actor(id: string): ActorDetail | undefined {
    return this.details.get(id);
  }

  chart(id: string): Chart | undefined {
    return this.charts.find((chart) => chart.id === id);
  }

  view(name: string, query: URLSearchParams): unknown {
    if (name === 'echo') return { query: Object.fromEntries(query) };
    if (name === 'broken') throw new TypeError('the secret is hunter2');
    throw new PerdureError('VIEW_UNKNOWN', `There is no view "${name}".`);
  }

  async *history(): AsyncGenerator<InspectionRecord> {
    for (let turn = 1; turn <= 3; turn += 1) {
      yield { kind: 'turn', seq: turn, at: turn, actor: 'door', turn, causes: [], changed: ['door'] };
    }
  }

  async close(): Promise<void> {
    this.isClosed = true;
  }
}
