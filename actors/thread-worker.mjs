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
import { types } from 'node:util';

/**
 * @typedef {{ token: string, module: string, export: string, input: unknown, id: string, attempt: number, fix: string | null,
 *   results: Record<string, unknown>, beats: boolean }} Call
 * @typedef {{ token: string, controller: AbortController, told: number, isBeating: boolean, late: unknown[] }} Current
 */

/** Values of progress, or beats, that may be told in one window; of more than that the newest is told. */
const BURST = 100;
const WINDOW_MS = 100;
/** Beats that come faster say no more. */
const BEAT_MS = 5;
/** Deeper than this no value goes. */
const DEEPEST = 1_000;
const CAUSES = 8;
/** What is asked of an error to learn what it is, also where it is inherited. */
const SPEAKING = ['code', 'status', 'statusCode', 'retryable', 'retryAfterMs', 'facts'];
const KEPT_FIELDS = 32;

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
 */
export async function run(call) {
  const controller = new AbortController();
  /** @type {Current} */
  const mine = { token: call.token, controller, told: 0, isBeating: call.beats, late: [] };
  current = mine;
  try {
    const work = await load(call.module, call.export);
    const { id, attempt, fix, results, input } = call;
    const teller = new Teller(mine);
    teller.beat();
    const context = {
      ...{ id, attempt, fix, results, signal: controller.signal },
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

/**
 * W2. Collects the bytes that may be moved: those that nothing else looks at.
 * @param {unknown} value
 * @param {string} path
 * @param {number} depth
 * @param {Set<ArrayBuffer>} buffers
 * @param {object[]} above
 */
function checkPlain(value, path, depth, buffers, above) {
  if (typeof value === 'function' || typeof value === 'symbol') throw refused(`${at(path)} is a ${typeof value}`);
  if (typeof value !== 'object' || value === null) return;
  if (depth > DEEPEST) throw refused(`it is nested deeper than ${DEEPEST} levels`);
  if (types.isProxy(value)) throw refused(`${at(path)} is a proxy`);
  if (types.isArrayBuffer(value)) return void movable(value, buffers, path);
  if (ArrayBuffer.isView(value)) {
    if (value instanceof DataView || types.isSharedArrayBuffer(value.buffer))
      throw refused(`${at(path)} is a ${value instanceof DataView ? 'DataView' : 'view of shared memory'}`);
    if (value.byteLength === value.buffer.byteLength) movable(value.buffer, buffers, path);
    return;
  }
  if (types.isDate(value)) return;
  if (above.includes(value)) throw refused(`${at(path)} contains itself`);
  above.push(value);
  for (const [key, item] of entriesOf(value, path)) checkPlain(item, `${path}/${key}`, depth + 1, buffers, above);
  above.pop();
}

/**
 * @param {object} value
 * @param {string} path
 * @returns {Iterable<readonly [unknown, unknown]>}
 */
function entriesOf(value, path) {
  if (Array.isArray(value)) return value.entries();
  if (types.isSet(value)) return [...value].entries();
  if (types.isMap(value))
    return [...value].flatMap(([key, item], i) => [
      [`key ${i}`, key],
      [`value ${i}`, item],
    ]);
  const prototype = Object.getPrototypeOf(value);
  if (prototype === null || prototype === Object.prototype) return Object.entries(value);
  if (types.isNativeError(value)) throw refused(`${at(path)} is an error: throw it, or return what it says`);
  throw refused(`${at(path)} is an instance of ${prototype.constructor?.name ?? 'a class'}`);
}

/**
 * @param {ArrayBuffer | SharedArrayBuffer} buffer
 * @param {Set<ArrayBuffer>} buffers
 * @param {string} path
 */
function movable(buffer, buffers, path) {
  try {
    // Throws for one that was moved away before.
    void new Uint8Array(buffer);
  } catch {
    throw refused(`${at(path)} was returned before, and so moved to the owner: return a copy`);
  }
  if (buffer.byteLength > 0) buffers.add(/** @type {ArrayBuffer} */ (buffer));
}

/** @param {string} path */
function at(path) {
  return path === '' ? 'it' : `${path.slice(0, 200)} of it`;
}

/** @param {string} why */
function refused(why) {
  const message = `What a thread action returns, or tells, must be plain data, but ${why}.`;
  return Object.assign(new Error(message), { name: 'PerdureError', code: 'CODEC_REFUSED', retryable: false });
}

/** @param {unknown} error */
function textOf(error) {
  return error instanceof Error ? error.message : String(error);
}

/**
 * An error as data: its name, code, message, stack, causes, and what else it says of itself.
 * @param {unknown} error
 * @param {number} depth
 * @returns {object}
 */
function described(error, depth = 0) {
  if (typeof error !== 'object' || error === null || !types.isNativeError(error)) return { value: copied(error) };
  const any = /** @type {any} */ (error);
  /** @type {Record<string, unknown>} */
  const own = {};
  for (const key of [...SPEAKING, ...Object.keys(error)].slice(0, KEPT_FIELDS)) {
    if (key === 'cause' || key === 'errors' || key === 'stack') continue;
    const value = attempted(() => (key === 'headers' || key === 'response' ? spoken(any[key]) : any[key]));
    const copy = value === undefined ? undefined : attempted(() => structuredClone(value));
    if (copy !== undefined) own[key] = copy;
  }
  const deeper = depth < CAUSES;
  const errors = attempted(() => (Array.isArray(any.errors) ? any.errors.slice(0, CAUSES) : undefined));
  return {
    name: String(attempted(() => any.name) ?? 'Error'),
    message: String(attempted(() => any.message) ?? ''),
    stack: attempted(() => (typeof any.stack === 'string' ? any.stack : undefined)),
    perdure: Symbol.for('perdure.error') in error,
    own,
    ...('cause' in error && deeper
      ? {
          cause: described(
            attempted(() => any.cause),
            depth + 1,
          ),
        }
      : {}),
    ...(errors !== undefined && deeper
      ? { errors: errors.map((/** @type {unknown} */ one) => described(one, depth + 1)) }
      : {}),
  };
}

/**
 * Headers, or a response that has some, as plain data.
 * @param {any} value
 * @returns {unknown}
 */
function spoken(value) {
  if (typeof value !== 'object' || value === null) return value;
  const { status, headers } = value;
  if (typeof value.entries === 'function') return Object.fromEntries(value.entries());
  if (headers !== undefined) return { status, headers: spoken(headers) };
  return value;
}

/**
 * What was thrown that is no error.
 * @param {unknown} thrown
 */
function copied(thrown) {
  return attempted(() => structuredClone(thrown)) ?? attempted(() => String(thrown));
}

/**
 * @template T
 * @param {() => T} read
 * @returns {T | undefined}
 */
function attempted(read) {
  try {
    return read();
  } catch {
    return undefined;
  }
}
