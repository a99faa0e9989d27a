/**
 * The native protocol over a WebSocket: `/v1/socket`. A viewer says hello; it is told what can be had, every actor there is, what it has
 * missed, and then what happens. See protocol.ts.
 *
 *   open ──hello──> hello, [dropped], registry, [records] ──> records / dropped / committed, and answers to commands
 *     └──anything else, or nothing for HELLO_MS──> closed with a reason
 *
 * N1  Between what is held and what happens next nothing is lost and nothing comes twice: both begin in the same turn of the event loop.
 *     Until then all that is told is held, so it is not taken in as told; and nothing is asked of the source between the two.
 * N2  What a viewer sends, and what fails while it is told something, can end its own connection only. What is to be told to it, and not
 *     taken, is bounded.
 */
import type { WebSocket } from 'ws';
import { isObject } from '../../machines/option-keys.ts';
import type { CommandGate, Giver } from './command-gate.ts';
import { isPlain, PROTOCOL_VERSION, type ServerHello, type ServerMessage, type ViewerHello } from '../protocol.ts';
import type { Source } from '../sources/source.ts';
import type { Failure } from './reply.ts';
import { Viewer } from './viewer.ts';

const HELLO_MS = 10_000;
const MOST_COMMANDS_AT_ONCE = 32;
const PROTOCOL_ERROR = 1002;
const NOT_TEXT = 1003;
const POLICY = 1008;
const INTERNAL = 1011;

export interface NativeParts {
  readonly source: Source;
  readonly gate: CommandGate;
  /** What a viewer is told first. */
  readonly hello: (giver: Giver, resumed: boolean) => ServerHello;
  /** Notes what nobody foresaw; gives what may be told of it. */
  readonly failed: (part: string, error: unknown) => Failure;
}

/**
 * Serves one connection.
 *
 * @param giver who has it.
 * @param judge tells at each command who has it now; undefined for whoever may ask no more. Never rejects.
 */
export function serveNative(
  socket: WebSocket,
  parts: NativeParts,
  giver: Giver,
  judge: () => Promise<Giver | undefined>,
): void {
  const { source, gate, hello } = parts;
  const fail = (error: unknown): void => {
    const { code, message } = parts.failed('socket', error);
    viewer.say({ type: 'error', code, message });
    socket.close(INTERNAL, code);
  };
  const viewer = new Viewer(socket, () => registryOf(source), fail);
  let subscription: { unsubscribe(): void } | undefined;
  let underWay = 0;
  const patience = setTimeout(() => socket.close(PROTOCOL_ERROR, 'expected a hello'), HELLO_MS).unref();

  const begin = ({ resume, detail = false }: ViewerHello): void => {
    clearTimeout(patience);
    const resumed = resume !== undefined && resume.epoch === source.epoch && resume.seq <= source.nextSeq;
    let isCaughtUp = false;
    // Subscribed first: a source may begin to record only now.
    subscription = source.subscribe(
      {
        records: (records) => {
          if (isCaughtUp) viewer.records(records);
        },
        dropped: (from, to) => viewer.dropped(from, to),
        committed: (turn, at) => viewer.committed(turn, at),
      },
      { detail },
    );
    // To ask who is there may be to look, and to tell everybody what was found.
    const registry = registryOf(source);
    viewer.say(hello(giver, resumed));
    const asked = resumed ? resume.seq : 0;
    const held = source.recordsFrom(asked);
    if (resumed && held.from > asked) viewer.say({ type: 'dropped', from: asked, to: held.from, reason: 'gone' });
    viewer.say(registry);
    viewer.catchUp(detail ? held.records : held.records.filter(isPlain));
    isCaughtUp = true;
  };

  const command = async (message: Readonly<Record<string, unknown>>): Promise<void> => {
    if (underWay >= MOST_COMMANDS_AT_ONCE) {
      return viewer.answer({
        type: 'error',
        code: 'TOO_MANY_COMMANDS',
        message: 'Wait for answers before you ask for more.',
      });
    }
    underWay += 1;
    try {
      const now = await judge();
      if (now !== undefined) viewer.answer(await gate.give(message, now));
    } catch (error) {
      const { code, message: text } = gate.failureOf(error);
      viewer.answer({ type: 'error', code, message: text });
    } finally {
      underWay -= 1;
    }
  };

  socket.on('message', (data: Buffer, isBinary) => {
    if (isBinary) return socket.close(NOT_TEXT, 'expected text, got a binary frame');
    const message = parsed(data.toString());
    if (message === undefined) return socket.close(PROTOCOL_ERROR, 'expected an object as JSON');
    if (subscription === undefined) {
      if (!isHello(message)) return socket.close(PROTOCOL_ERROR, 'expected a hello');
      if (message.version === PROTOCOL_VERSION) {
        try {
          return begin(message);
        } catch (error) {
          return fail(error);
        }
      }
      const text = `This server speaks version ${PROTOCOL_VERSION} of the protocol.`;
      viewer.say({ type: 'error', code: 'VERSION_UNKNOWN', message: text });
      return socket.close(PROTOCOL_ERROR, text);
    }
    if (message['type'] === 'command') return void command(message);
    return socket.close(POLICY, 'expected a command');
  });
  socket.once('close', () => {
    clearTimeout(patience);
    subscription?.unsubscribe();
    viewer.close();
  });
}

function registryOf(source: Source): Extract<ServerMessage, { readonly type: 'registry' }> {
  const actors = source.registry();
  const { moreActors: more = 0 } = source;
  return { type: 'registry', actors, ...(more === 0 ? {} : { more }) };
}

function parsed(text: string): Readonly<Record<string, unknown>> | undefined {
  try {
    const message: unknown = JSON.parse(text);
    return isObject(message) ? message : undefined;
  } catch {
    return undefined;
  }
}

function isHello(
  message: Readonly<Record<string, unknown>>,
): message is Readonly<Record<string, unknown>> & ViewerHello {
  const { type, version, resume, detail } = message;
  if (type !== 'hello' || typeof version !== 'number') return false;
  if (detail !== undefined && typeof detail !== 'boolean') return false;
  if (resume === undefined || resume === null) return resume === undefined;
  return isObject(resume) && typeof resume['epoch'] === 'string' && Number.isSafeInteger(resume['seq']);
}
