/**
 * A source, and beside it the actors of clients that send to this server: one registry, and one row of sequence numbers.
 *
 * J1  Numbers count up by one. Until a client sends, they are those of the source; each record of a client moves all later ones on.
 * J2  What is held of the source stays there. Of clients the last records are held here; once the first of them are forgotten, so is
 *     what the source had before them.
 * J3  The source is subscribed to once, and only while somebody looks. A subscription that fails leaves all as it was.
 */
import type { Chart } from '../charts/chart.ts';
import type { ClientActors } from './client-actors.ts';
import { isPlain, type ActorDetail, type ActorInfo, type InspectionRecord } from '../protocol.ts';
import type { Unnumbered } from '../recorder/record-log.ts';
import type { HeldRecords, PastQuery, Source, SourceListener } from './source.ts';

/** Records of clients that are held. */
const MOST_HELD = 5_000;
/** Characters of them. */
const MOST_CHARACTERS = 16_000_000;

interface Inserted {
  /** The number that the next record of the source had. */
  readonly at: number;
  readonly record: InspectionRecord;
  readonly size: number;
}

interface Subscriber {
  readonly listener: SourceListener;
  readonly detail: boolean;
}

export class JoinedSource implements Source {
  readonly #source: Source;
  readonly #clients: ClientActors;
  readonly #subscribers = new Set<Subscriber>();
  #subscription: { readonly detail: boolean; readonly unsubscribe: () => void } | undefined;
  /** The number of the source's next record, as far as it was told. */
  #delivered = 0;
  #inserted: Inserted[] = [];
  #size = 0;
  /** How many were forgotten, and up to where the source's numbers went then. */
  #forgotten = 0;
  #floor = 0;

  constructor(source: Source, clients: ClientActors) {
    this.#source = source;
    this.#clients = clients;
  }

  get capabilities(): Source['capabilities'] {
    return this.#source.capabilities;
  }

  get store(): Source['store'] {
    return this.#source.store;
  }

  get epoch(): string {
    return this.#source.epoch;
  }

  get startedAt(): number | null {
    return this.#source.startedAt;
  }

  get pid(): number | null {
    return this.#source.pid;
  }

  get views(): readonly string[] {
    return this.#source.views;
  }

  get nextSeq(): number {
    this.#look();
    return this.#delivered + this.#count;
  }

  subscribe(
    listener: SourceListener,
    { detail = false }: { readonly detail?: boolean } = {},
  ): {
    unsubscribe(): void;
  } {
    this.#look();
    const subscriber = { listener, detail };
    this.#subscribers.add(subscriber);
    try {
      this.#attach();
    } catch (error) {
      this.#subscribers.delete(subscriber);
      throw error;
    }
    return {
      unsubscribe: () => {
        if (!this.#subscribers.delete(subscriber)) return;
        try {
          this.#attach();
        } catch {
          // Who stays is told as before, with more detail than anybody wants.
        }
      },
    };
  }

  get moreActors(): number {
    return this.#source.moreActors ?? 0;
  }

  registry(): readonly ActorInfo[] {
    const clients = this.#clients.registry();
    const own = this.#source.registry();
    return clients.length === 0 ? own : [...own, ...clients];
  }

  recordsFrom(seq: number): HeldRecords {
    this.#look();
    const before = this.#inserted.filter(({ record }) => record.seq < seq).length;
    const asked = seq - this.#forgotten - before;
    const wanted = Math.max(this.#floor, asked);
    const held = this.#source.recordsFrom(wanted);
    const first = Math.max(wanted, held.from);
    const own = held.records.filter((record) => record.seq < this.#delivered).map((record) => this.#numbered(record));
    const clients = this.#inserted.slice(before).filter(({ at }) => at >= first);
    const records = clients.length === 0 ? own : merged(own, clients);
    return { from: first > asked ? first + this.#countUpTo(first - 1) : seq, records };
  }

  actor(id: string, seq?: number): ActorDetail | undefined {
    const own = seq === undefined ? undefined : this.#ownSeq(seq);
    const ofClient = this.#clients.actor(id);
    if (ofClient === undefined) return this.#source.actor(id, own);
    return seq === undefined || this.#isAsAfter(id, seq) ? ofClient : undefined;
  }

  chart(id: string): Chart | undefined {
    return this.#source.chart(id) ?? this.#clients.chart(id);
  }

  view(name: string, query: URLSearchParams): unknown {
    return this.#source.view(name, query);
  }

  history(query?: PastQuery): AsyncIterable<InspectionRecord> {
    return this.#source.history(query);
  }

  /** Ends all subscriptions. The source is whoever's it was. */
  detach(): void {
    this.#subscribers.clear();
    this.#attach();
  }

  async close(): Promise<void> {
    this.detach();
    await this.#source.close();
  }

  /** Something happened to an actor of a client. */
  insert(unnumbered: Unnumbered): void {
    this.#look();
    const record = { ...unnumbered, seq: this.#delivered + this.#count } as InspectionRecord;
    const size = JSON.stringify(record).length;
    this.#inserted.push({ at: this.#delivered, record, size });
    this.#size += size;
    // Seldom, and many at once.
    if (this.#inserted.length >= 2 * MOST_HELD || this.#size > MOST_CHARACTERS) this.#forget();
    for (const { listener } of this.#subscribers) listener.records([record]);
  }

  #forget(): void {
    const most = Math.min(MOST_HELD, this.#inserted.length);
    let count = 0;
    for (let left = this.#size; count < most && (count < this.#inserted.length / 2 || left > MOST_CHARACTERS / 2);)
      left -= (this.#inserted[count++] as Inserted).size;
    const forgotten = this.#inserted.splice(0, count);
    for (const { size } of forgotten) this.#size -= size;
    this.#forgotten += forgotten.length;
    this.#floor = (forgotten.at(-1) as Inserted).at;
  }

  get #count(): number {
    return this.#forgotten + this.#inserted.length;
  }

  /** While nobody is subscribed nobody tells what the source has recorded. */
  #look(): void {
    if (this.#subscription === undefined) this.#delivered = Math.max(this.#delivered, this.#source.nextSeq);
  }

  /** One subscription, of as much detail as the most curious subscriber wants. */
  #attach(): void {
    const before = this.#subscription;
    const detail = [...this.#subscribers].some((subscriber) => subscriber.detail);
    if (this.#subscribers.size > 0 && before?.detail === detail) return;
    if (this.#subscribers.size === 0) {
      this.#subscription = undefined;
    } else {
      const { unsubscribe } = this.#source.subscribe(
        {
          records: (records) => this.#tell(records),
          dropped: (from, to) => this.#dropped(from, to),
          committed: (turn, at) => this.#committed(turn, at),
        },
        { detail },
      );
      this.#subscription = { detail, unsubscribe };
      // A source may begin with its past, which is held there, and told to nobody.
      if (before === undefined) this.#delivered = Math.max(this.#delivered, this.#source.nextSeq);
      else this.#tellRest();
    }
    before?.unsubscribe();
  }

  /** What the subscription before had not told yet is told now. */
  #tellRest(): void {
    const { from, records } = this.#source.recordsFrom(this.#delivered);
    if (from > this.#delivered) this.#dropped(this.#delivered, from);
    this.#tell(records);
  }

  #tell(given: readonly InspectionRecord[]): void {
    const fresh = given.filter(({ seq }) => seq >= this.#delivered);
    const last = fresh.at(-1);
    if (last === undefined) return;
    const records = fresh.map((record) => this.#numbered(record));
    this.#delivered = last.seq + 1;
    let plain: readonly InspectionRecord[] | undefined;
    for (const { listener, detail } of this.#subscribers) {
      if (detail) listener.records(records);
      else if ((plain ??= records.filter(isPlain)).length > 0) listener.records(plain);
    }
  }

  /** All that clients did meanwhile has lower numbers: theirs follow what was told last. */
  #dropped(given: number, to: number): void {
    const from = Math.max(given, this.#delivered);
    if (to <= from) return;
    this.#delivered = to;
    for (const { listener } of this.#subscribers) listener.dropped?.(from + this.#count, to + this.#count);
  }

  #committed(turn: number, at: number): void {
    for (const { listener } of this.#subscribers) listener.committed(turn, at);
  }

  /** How many records of clients came before the source's record of this number. */
  #countUpTo(own: number): number {
    let [low, high] = [0, this.#inserted.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((this.#inserted[middle] as Inserted).at <= own) low = middle + 1;
      else high = middle;
    }
    return this.#forgotten + low;
  }

  #numbered(record: InspectionRecord): InspectionRecord {
    const moved = this.#count === 0 ? 0 : this.#countUpTo(record.seq);
    return moved === 0 ? record : { ...record, seq: record.seq + moved };
  }

  /** Whether nothing happened to an actor of a client since. Of clients no states are held but the present ones. */
  #isAsAfter(id: string, seq: number): boolean {
    const since = this.#inserted.filter(({ record }) => record.seq > seq);
    const isAllHeld = this.#forgotten === 0 || since.length < this.#inserted.length;
    return isAllHeld && since.every(({ record }) => record.actor !== id);
  }

  /** The source's number of what was told with this one. */
  #ownSeq(seq: number): number {
    return seq - this.#forgotten - this.#inserted.filter(({ record }) => record.seq <= seq).length;
  }
}

function merged(own: readonly InspectionRecord[], clients: readonly Inserted[]): InspectionRecord[] {
  return [...own, ...clients.map(({ record }) => record)].sort((a, b) => a.seq - b.seq);
}
