/**
 * What one viewer is still to be told. Its connection takes a bounded number of bytes ahead, and what waits is bounded by count; what
 * does not fit is dropped, and the viewer is told from where to where, and gets the registry again.
 *
 *   records() ──> waiting ──flush──> text ──> socket (at most HIGH_WATER bytes ahead)
 *                    └──more than MOST_WAITING──> dropped
 *
 * Nothing is made into text before the connection takes it, so a viewer that does not read costs references only; what it asks for is
 * answered at once, and it is not heard while it does not read that.
 */
import type { WebSocket } from 'ws';
import type { InspectionRecord, ServerMessage } from '../protocol.ts';

/** Bytes that may wait in the connection. */
const HIGH_WATER = 1_000_000;
/** Records that may wait before it. */
const MOST_WAITING = 10_000;
/** Records, and about how many bytes of them, in one frame. */
const MOST_IN_FRAME = 500;
const FRAME_BYTES = 250_000;

/** Viewers of the same records share their text. */
const texts = new WeakMap<InspectionRecord, string>();

function textOf(record: InspectionRecord): string {
  const known = texts.get(record);
  if (known !== undefined) return known;
  const text = JSON.stringify(record);
  texts.set(record, text);
  return text;
}

type Dropped = Extract<ServerMessage, { type: 'dropped' }>;
type Waiting = InspectionRecord | Dropped;

function isDropped(waiting: Waiting | undefined): waiting is Dropped {
  return waiting !== undefined && 'type' in waiting;
}

export class Viewer {
  readonly #socket: WebSocket;
  readonly #registry: () => ServerMessage;
  readonly #failed: (error: unknown) => void;
  /** From `#at` on. */
  #waiting: Waiting[] = [];
  #at = 0;
  #most = MOST_WAITING;
  #committed: { readonly turn: number; readonly at: number } | undefined;
  #isFlushing = false;

  /**
   * @param registry makes the message that tells every actor there is, for a viewer that has missed something.
   * @param failed is called with what that threw.
   */
  constructor(socket: WebSocket, registry: () => ServerMessage, failed: (error: unknown) => void) {
    this.#socket = socket;
    this.#registry = registry;
    this.#failed = failed;
  }

  /** At once, before what waits: what begins a connection, and what ends it. */
  say(message: ServerMessage): void {
    if (this.#socket.readyState === this.#socket.OPEN) this.#send(JSON.stringify(message));
  }

  /** What it asked for. Whoever does not read the answers is not read either, until few enough wait. */
  answer(message: ServerMessage): void {
    this.say(message);
    if (this.#socket.bufferedAmount > HIGH_WATER) this.#socket.pause();
  }

  /** What was held when it came: however much that is, it is bounded where it was held. */
  catchUp(records: readonly InspectionRecord[]): void {
    this.#most = MOST_WAITING + records.length;
    this.records(records);
  }

  records(records: readonly InspectionRecord[]): void {
    for (const record of records) this.#waiting.push(record);
    const { length } = this.#waiting;
    if (length - this.#at > this.#most) this.#drop(length - Math.floor(this.#most / 2));
    this.#schedule();
  }

  /** Records that nobody has any more: told in its place among the others. */
  dropped(from: number, to: number): void {
    this.#waiting.push({ type: 'dropped', from, to, reason: 'gone' });
    this.#schedule();
  }

  /** Of several that wait, the last. */
  committed(turn: number, at: number): void {
    this.#committed = { turn, at };
    this.#schedule();
  }

  close(): void {
    this.#waiting = [];
    this.#at = 0;
    this.#committed = undefined;
  }

  #drop(upTo: number): void {
    const [from, to] = [this.#waiting[this.#at], this.#waiting[upTo]].map((one) =>
      isDropped(one) ? one.from : (one as InspectionRecord).seq,
    ) as [number, number];
    this.#waiting = [{ type: 'dropped', from, to, reason: 'slow' }, ...this.#waiting.slice(upTo)];
    this.#at = 0;
  }

  /** Not in the turn that something happens in, and so that what happens at once goes in one frame. */
  #schedule(): void {
    if (this.#isFlushing) return;
    this.#isFlushing = true;
    setImmediate(() => this.#flush());
  }

  #flush(): void {
    this.#isFlushing = false;
    if (this.#socket.readyState !== this.#socket.OPEN) return;
    if (this.#socket.bufferedAmount > HIGH_WATER) return;
    try {
      if (isDropped(this.#waiting[this.#at])) this.#tellDropped();
      if (this.#at < this.#waiting.length) this.#sendFrame();
    } catch (error) {
      return this.#failed(error);
    }
    if (this.#committed !== undefined) this.say({ type: 'committed', ...this.#committed });
    this.#committed = undefined;
  }

  #tellDropped(): void {
    for (let next = this.#waiting[this.#at]; isDropped(next); next = this.#waiting[++this.#at]) this.say(next);
    this.say(this.#registry());
  }

  #sendFrame(): void {
    const parts: string[] = [];
    let bytes = 0;
    while (this.#at < this.#waiting.length && parts.length < MOST_IN_FRAME && bytes < FRAME_BYTES) {
      const next = this.#waiting[this.#at] as Waiting;
      if (isDropped(next)) break;
      this.#at += 1;
      const text = textOf(next);
      parts.push(text);
      bytes += text.length;
    }
    if (this.#at === this.#waiting.length) {
      this.#waiting = [];
      this.#at = 0;
      this.#most = MOST_WAITING;
    }
    this.#send(`{"type":"records","records":[${parts.join(',')}]}`);
  }

  /** What waits goes on when the connection has taken this: nothing waits for a viewer that reads, and nobody for one that does not. */
  #send(text: string): void {
    this.#socket.send(text, (error) => {
      if (error !== undefined && error !== null) return;
      if (this.#socket.bufferedAmount <= HIGH_WATER) this.#socket.resume();
      this.#schedule();
    });
  }
}
