/**
 * What runs in a thread of the pool: calls one export of one module at a time, and says what came of it as plain data. It owns
 * the thread's side of one port; the owner decides when the thread ends.
 *
 * W1. It says of every call how it ended; a thread that does not has ended itself, and the owner names how.
 * W2. What is returned is refused here unless the codec of the store takes it: the copy between threads would flatten in silence.
 * W3. A rejection that nobody handles ends this thread before the call that caused it has been reported as good.
 * W4. Only who was given a call knows its token, so nobody speaks for another call.
 */
import { MessageChannel, parentPort } from 'node:worker_threads';
import { described } from './thread-thrown.mjs';
import { checkPlain, refused } from './thread-value.mjs';

/**
 * @typedef {{ token: string, module: string, export: string, input: unknown, id: string, key: string, attempt: number,
 *   fix: string | null, results: Record<string, unknown>, beats: boolean }} Call
 * @typedef {{ token: string, controller: AbortController, told: number, isBeating: boolean, late: unknown[] }} Current
 */

/** Values of progress, or beats, that may be told in one window; of more than that the newest is told. */
const BURST = 100;
const WINDOW_MS = 100;
/** Beats that come faster say no more. */
const BEAT_MS = 5;

const { port1: port, port2: theirs } = new MessageChannel();
// Before anything of the host is loaded: the first word of a thread is its own.
parentPort?.postMessage({ perdure: 'thread', port: theirs }, [theirs]);

/** @type {Current | undefined} */
let current;

port.on('message', (/** @type {{ abort: string, reason: Record<string, unknown> }} */ { abort, reason }) => {
  if (current?.token === abort) current.controller.abort(Object.assign(new Error(String(reason['message'])), reason));
});
port.unref();

/** @type {Map<string, Function>} */
const known = new Map();

/**
 * @param {string} module
 * @param {string} name
 */
async function load(module, name) {
  const key = `${module}#${name}`;
  const found = known.get(key);
  if (found !== undefined) return found;
  const work = /** @type {Record<string, unknown>} */ (await import(module))[name];
  if (typeof work !== 'function') throw new TypeError(`${module} exports no function "${name}"`);
  known.set(key, work);
  return work;
}

/**
 * The functions that a module exports.
 * @param {{ module: string }} asked
 * @returns {Promise<unknown>}
 */
export async function inspect({ module }) {
  try {
    const found = /** @type {Record<string, unknown>} */ (await import(module));
    await settled();
    return { functions: Object.keys(found).filter((name) => typeof found[name] === 'function') };
  } catch (error) {
    return { threw: described(error) };
  }
}

/**
 * Performs one call.
 * @param {Call} call
 * @returns {Promise<unknown>}
 */
export async function run(call) {
  const controller = new AbortController();
  /** @type {Current} */
  const mine = { token: call.token, controller, told: 0, isBeating: call.beats, late: [] };
  current = mine;
  try {
    const work = await load(call.module, call.export);
    const { id, key, attempt, fix, results, input } = call;
    const teller = new Teller(mine);
    teller.beat();
    const context = {
      id,
      key,
      attempt,
      fix,
      results,
      signal: controller.signal,
      progress: (/** @type {unknown} */ value) => teller.tell(value),
      heartbeat: () => teller.beat(),
    };
    const value = await work(input, context);
    teller.flush();
    await settled();
    return await answered(value, mine);
  } catch (error) {
    await settled();
    return { threw: described(error), told: mine.told };
  } finally {
    if (current === mine) current = undefined;
  }
}

/** W3: rejections that nobody handles are noticed when the microtasks are done. */
function settled() {
  return new Promise((resolve) => setImmediate(resolve));
}

/** Tells how far a call is, and that it lives; no faster than its owner can hear. */
class Teller {
  /** @type {Current} */ #call;
  #window = 0;
  #inWindow = 0;
  #beatAt = -Infinity;

  /** @param {Current} call */
  constructor(call) {
    this.#call = call;
  }

  /** @param {unknown} value */
  tell(value) {
    const now = performance.now();
    if (now - this.#window > WINDOW_MS) {
      this.#window = now;
      this.#inWindow = 0;
    }
    this.#inWindow += 1;
    if (this.#inWindow > BURST) this.#call.late = [value];
    else this.#post({ progress: value });
  }

  beat() {
    const now = performance.now();
    if (!this.#call.isBeating || now - this.#beatAt < BEAT_MS) return;
    this.#beatAt = now;
    this.#post({});
  }

  flush() {
    for (const value of this.#call.late.splice(0)) this.#post({ progress: value });
  }

  /** @param {object} word */
  #post(word) {
    this.#call.late = [];
    try {
      port.postMessage({ token: this.#call.token, ...word });
      this.#call.told += 1;
    } catch (error) {
      throw refused(`progress was told what cannot leave the thread: ${textOf(error)}`);
    }
  }
}

/**
 * The answer, with what it holds of bytes moved and not copied.
 * @param {unknown} value
 * @param {Current} call
 * @returns {Promise<unknown>}
 */
async function answered(value, call) {
  /** @type {Set<ArrayBuffer>} */
  const buffers = new Set();
  checkPlain(value, '', 0, buffers, []);
  if (buffers.size === 0) return { value, told: call.told };
  const { move } = await import('piscina');
  let moved;
  try {
    // Here, where a refusal can still be told. It moves the bytes and copies the rest.
    moved = structuredClone(value, { transfer: [...buffers] });
  } catch (error) {
    throw refused(`it returned bytes that cannot leave the thread: ${textOf(error)}`);
  }
  buffers.clear();
  checkPlain(moved, '', 0, buffers, []);
  return move(
    /** @type {any} */ ({
      [Symbol.for('Piscina.transferable')]: [...buffers],
      [Symbol.for('Piscina.valueOf')]: { value: moved, told: call.told },
    }),
  );
}

/** @param {unknown} error */
function textOf(error) {
  return error instanceof Error ? error.message : String(error);
}
