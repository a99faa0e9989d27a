/**
 * The connections of a server of our own. Whoever may not look holds none for long, and none that somebody who may look needs: when
 * there are as many as may be, the oldest of those that nobody is known by is closed for the new one.
 */
import type { Socket } from 'node:net';

const MOST = 256;
/** How long one may stay that asks nothing, and how long one that asks, and is of nobody who is known. */
const SILENT_MS = 5_000;
const UNKNOWN_MS = 30_000;

export class Connections {
  readonly #all = new Set<Socket>();
  /** Of nobody who is known, the oldest first. */
  readonly #unknown = new Map<Socket, NodeJS.Timeout>();
  #isUnref = false;

  add(socket: Socket): void {
    this.#all.add(socket);
    this.#unknown.set(socket, endIn(socket, SILENT_MS));
    socket.once('close', () => {
      this.know(socket);
      this.#all.delete(socket);
    });
    if (this.#isUnref) socket.unref();
    if (this.#all.size <= MOST) return;
    const [oldest = socket] = this.#unknown.keys();
    oldest.destroy();
    this.#all.delete(oldest);
  }

  /** Something was asked there. */
  asked(socket: Socket): void {
    const ending = this.#unknown.get(socket);
    if (ending === undefined) return;
    clearTimeout(ending);
    this.#unknown.set(socket, endIn(socket, UNKNOWN_MS));
  }

  /** It is of somebody who may look. */
  know(socket: Socket): void {
    clearTimeout(this.#unknown.get(socket));
    this.#unknown.delete(socket);
  }

  /** Whether they keep the process. */
  keep(isKept: boolean): void {
    this.#isUnref = !isKept;
    for (const socket of this.#all) {
      if (isKept) socket.ref();
      else socket.unref();
    }
  }
}

function endIn(socket: Socket, ms: number): NodeJS.Timeout {
  return setTimeout(() => socket.destroy(), ms).unref();
}
