import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, onTestFinished, test, vi } from 'vitest';
import { WebSocketServer, type WebSocket } from 'ws';
import type { CommandDesk, GivenCommand } from '../../../inspector/commands/commands.ts';
import type { ServerHello } from '../../../inspector/protocol.ts';
import { CommandGate } from '../../../inspector/server/command-gate.ts';
import { serveNative, type NativeParts } from '../../../inspector/server/native.ts';
import type { Admitted, InspectorOptions } from '../../../inspector/server/options.ts';
import { RefusalLog } from '../../../inspector/server/refusal-log.ts';
import { failureOf } from '../../../inspector/server/reply.ts';
import { serveInspector, type InspectorServer } from '../../../inspector/server/server.ts';
import { StillSource } from '../../support/still-source.ts';
import { ViewerClient } from '../../support/viewer-client.ts';

class ListingDesk implements CommandDesk {
  readonly given: GivenCommand[] = [];
  give(given: GivenCommand) {
    this.given.push(given);
    return Promise.resolve({
      type: 'answer' as const,
      id: given.id,
      state: 'applied' as const,
      message: 'done',
      turn: 7,
    });
  }
  audit() {
    return [];
  }
  close() {}
}

let source: StillSource;
let desk: ListingDesk;
let server: InspectorServer;
beforeEach(async () => {
  source = new StillSource();
  desk = new ListingDesk();
  server = await serveInspector(source, { port: 0, commands: true, desk, badge: 'test' });
});
afterEach(() => server.close());

const range = (from: number, to: number) => Array.from({ length: to - from }, (_, at) => from + at);

describe('a viewer', () => {
  test('is told what can be had, every actor, what is held, and then what happens', async () => {
    source.tell(3);
    const viewer = await ViewerClient.of(server.url);
    await viewer.until(() => viewer.seqs.length === 3);
    source.tell(2);
    await viewer.until(() => viewer.seqs.length === 5);
    expect(viewer.messages.map(({ type }) => type)).toEqual(['hello', 'registry', 'records', 'records']);
    expect(viewer.messages[0]).toMatchObject({
      version: 1,
      server: { name: 'perdure' },
      epoch: 'epoch-1',
      seq: 4,
      resumed: false,
      badge: 'test',
      capabilities: { commands: true, live: true },
    });
    expect(viewer.of('registry')[0]?.actors.map(({ id }) => id)).toEqual(['door']);
    expect(viewer.seqs).toEqual([1, 2, 3, 4, 5]);
    await viewer.close();
  });

  test('gets everything once and in order, of a source too that looks and tells when it is asked who is there', async () => {
    const { registry } = source;
    source.registry = () => {
      source.tell(2);
      return registry.call(source);
    };
    source.tell(3);
    const viewers: ViewerClient[] = [];
    for (const hello of [{}, {}, { detail: true }, { resume: { epoch: 'epoch-1', seq: 4 } }]) {
      const viewer = await ViewerClient.of(server.url, hello);
      await viewer.until(() => viewer.of('registry').length === 1);
      viewers.push(viewer);
    }
    const all = range(1, 12);
    const wanted = [all, all, all, range(4, 12)];
    for (const [at, viewer] of viewers.entries())
      await viewer.until(() => viewer.seqs.length >= (wanted[at]?.length ?? 0));
    expect(viewers.map(({ seqs }) => seqs)).toEqual(wanted);
    // What it says is held is.
    expect(viewers.map((viewer) => viewer.of('hello')[0]?.seq)).toEqual([6, 8, 10, 12]);
    for (const viewer of viewers) await viewer.close();
  });

  test('that comes back gets all that it has missed, and nothing twice', async () => {
    source.tell(5);
    const first = await ViewerClient.of(server.url);
    await first.until(() => first.seqs.length === 5);
    await first.close();
    source.tell(4);
    const again = await ViewerClient.of(server.url, { resume: { epoch: 'epoch-1', seq: 6 } });
    source.tell(2);
    await again.until(() => again.seqs.length === 6);
    expect(again.of('hello')[0]?.resumed).toBe(true);
    expect(again.seqs).toEqual(range(6, 12));
    expect(again.of('dropped')).toEqual([]);
    await again.close();
  });

  test('that comes back too late is told what it has missed', async () => {
    source.tell(20);
    source.forget(15);
    const viewer = await ViewerClient.of(server.url, { resume: { epoch: 'epoch-1', seq: 6 } });
    await viewer.until(() => viewer.seqs.length === 6);
    expect(viewer.of('dropped')).toEqual([{ type: 'dropped', from: 6, to: 15, reason: 'gone' }]);
    expect(viewer.seqs).toEqual(range(15, 21));
    await viewer.close();
  });

  test('of another life begins anew', async () => {
    source.tell(2);
    const viewer = await ViewerClient.of(server.url, { resume: { epoch: 'another', seq: 900 } });
    await viewer.until(() => viewer.seqs.length === 2);
    expect(viewer.of('hello')[0]?.resumed).toBe(false);
    await viewer.close();
  });

  test('asks the source for as much detail as it wants, and lets go of it when it leaves', async () => {
    const plain = await ViewerClient.of(server.url);
    await plain.until(() => plain.of('registry').length === 1);
    expect([...source.listeners.values()]).toEqual([false]);
    const curious = await ViewerClient.of(server.url, { detail: true });
    await curious.until(() => curious.of('registry').length === 1);
    expect([...source.listeners.values()]).toEqual([true]);
    await plain.close();
    await curious.close();
    await expect.poll(() => source.listeners.size).toBe(0);
  });

  test('is told of commits that come at once by the last of them', async () => {
    const viewer = await ViewerClient.of(server.url);
    await viewer.until(() => viewer.of('registry').length === 1);
    for (let turn = 1; turn <= 1_000; turn += 1) {
      for (const listener of source.listeners.keys()) listener.committed(turn, turn);
    }
    await viewer.until(() => viewer.of('committed').length > 0);
    expect(viewer.of('committed')).toEqual([{ type: 'committed', turn: 1_000, at: 1_000 }]);
    await viewer.close();
  });
});

describe('a viewer that reads slowly', () => {
  test('is told what was dropped, gets the registry again and then all there is, and holds up nobody', async () => {
    const slow = await ViewerClient.of(server.url);
    const quick = await ViewerClient.of(server.url);
    await slow.until(() => slow.of('registry').length === 1);
    await quick.until(() => quick.of('registry').length === 1);
    slow.socket.pause();
    const payload = 'x'.repeat(2_000);
    for (let round = 0; round < 60; round += 1) {
      source.tell(1_000, payload);
      await quick.until(() => quick.seqs.length === (round + 1) * 1_000);
    }
    expect(quick.of('dropped')).toEqual([]);
    expect(quick.seqs).toEqual(range(1, 60_001));
    slow.socket.resume();
    await slow.until(() => slow.seqs.at(-1) === 60_000);
    const dropped = slow.of('dropped');
    expect(dropped.length).toBeGreaterThan(0);
    expect(slow.of('registry').length).toBe(1 + dropped.length);
    // What it was told and what it was told that it misses is everything, once.
    const missed = dropped.flatMap(({ from, to }) => range(from, to));
    expect([...slow.seqs, ...missed].toSorted((a, b) => a - b)).toEqual(range(1, 60_001));
    await slow.close();
    await quick.close();
  });
});

describe('a viewer that commands and does not read', () => {
  test('is not heard while more than a megabyte waits for it, and gets every answer once it reads', async () => {
    const sockets = new WebSocketServer({ port: 0, host: '127.0.0.1' });
    const log = new RefusalLog(undefined);
    const parts: NativeParts = {
      source,
      gate: new CommandGate(undefined, false, log),
      hello: () => ({ type: 'hello' }) as ServerHello,
      failed: (_, error) => failureOf(error),
    };
    await once(sockets, 'listening');
    const viewer = new ViewerClient(`ws://127.0.0.1:${(sockets.address() as AddressInfo).port}`);
    const [[socket]] = (await Promise.all([once(sockets, 'connection'), once(viewer.socket, 'open')])) as [
      [WebSocket],
      [],
    ];
    const giver = { by: 'whoever looks', commands: false };
    serveNative(socket, parts, giver, () => Promise.resolve(giver));
    viewer.say({ type: 'hello', version: 1 });
    await viewer.until(() => viewer.of('registry').length === 1);
    viewer.socket.pause();
    const id = '\u0001'.repeat(200);
    for (let n = 0; n < 30_000; n += 1) viewer.say({ type: 'command', id, command: 'pause', params: {} });
    await expect.poll(() => socket.isPaused, { timeout: 20_000 }).toBe(true);
    expect(socket.bufferedAmount).toBeLessThan(2_000_000);
    viewer.socket.resume();
    await viewer.until(() => viewer.of('answer').length + viewer.of('error').length === 30_000);
    expect(socket.isPaused).toBe(false);
    await viewer.close();
    sockets.close();
  });
});

describe('what a source cannot tell', () => {
  test('because it has forgotten it is told as gone, in its place, with the registry', async () => {
    const viewer = await ViewerClient.of(server.url);
    await viewer.until(() => viewer.of('registry').length === 1);
    source.tell(2);
    source.nextSeq += 3;
    for (const listener of source.listeners.keys()) listener.dropped?.(3, 6);
    source.tell(1);
    await viewer.until(() => viewer.seqs.length === 3);
    expect(viewer.messages.slice(2)).toMatchObject([
      { type: 'records', records: [{ seq: 1 }, { seq: 2 }] },
      { type: 'dropped', from: 3, to: 6, reason: 'gone' },
      { type: 'registry' },
      { type: 'records', records: [{ seq: 6 }] },
    ]);
    await viewer.close();
  });

  test('because there are too many actors is said by how many', async () => {
    Object.assign(source, { moreActors: 12 });
    const viewer = await ViewerClient.of(server.url);
    await viewer.until(() => viewer.of('registry').length === 1);
    expect(viewer.of('registry')[0]?.more).toBe(12);
    await viewer.close();
  });

  test.each(['subscribe', 'recordsFrom', 'registry'] as const)(
    'because %s throws costs the viewer that came its connection, and nobody else anything',
    async (method) => {
      const logged: object[] = [];
      await using one = await serveInspector(source, {
        port: 0,
        logger: { info: () => {}, warn: (facts) => void logged.push(facts) },
      });
      const early = await ViewerClient.of(one.url);
      await early.until(() => early.of('registry').length === 1);
      const fails = () => {
        throw new SyntaxError('a damaged row');
      };
      Object.assign(source, { [method]: fails });
      const late = await ViewerClient.of(one.url, { detail: true });
      await late.until(() => late.closed !== undefined);
      expect(late.of('error')).toMatchObject([{ code: 'INTERNAL' }]);
      expect(late.closed).toEqual([1011, 'INTERNAL']);
      expect(logged).toEqual([{ part: 'socket', message: 'a damaged row' }]);
      source.tell(1);
      await early.until(() => early.seqs.length === 1);
      await early.close();
    },
  );

  test('later costs the viewer that was to be told its connection', async () => {
    const viewer = await ViewerClient.of(server.url);
    await viewer.until(() => viewer.of('registry').length === 1);
    source.registry = () => {
      throw new SyntaxError('a damaged row');
    };
    for (const listener of source.listeners.keys()) listener.dropped?.(1, 3);
    await viewer.until(() => viewer.closed !== undefined);
    expect([viewer.of('error')[0]?.code, viewer.closed?.[0]]).toEqual(['INTERNAL', 1011]);
  });
});

describe('a command', () => {
  test('is carried out by the desk, and answered', async () => {
    const viewer = await ViewerClient.of(server.url);
    viewer.say({ type: 'command', id: 'c1', command: 'pause', params: { note: 'x' } });
    await viewer.until(() => viewer.of('answer').length === 1);
    expect(viewer.of('answer')).toEqual([{ type: 'answer', id: 'c1', state: 'applied', message: 'done', turn: 7 }]);
    expect(desk.given).toEqual([{ id: 'c1', command: 'pause', params: { note: 'x' }, by: 'http' }]);
    await viewer.close();
  });

  test('is refused where the connection has no Origin, and where the server is read-only', async () => {
    const address = new URL(server.url);
    const noOrigin = new ViewerClient(`ws://${address.host}/v1/socket${address.search}`);
    await new Promise((resolve) => noOrigin.socket.once('open', resolve));
    noOrigin.say({ type: 'hello', version: 1 });
    noOrigin.say({ type: 'command', id: 'c1', command: 'pause', params: {} });
    await noOrigin.until(() => noOrigin.of('answer').length === 1);
    expect(noOrigin.of('hello')[0]?.capabilities.commands).toBe(false);
    expect(noOrigin.of('answer')[0]).toMatchObject({ state: 'refused', code: 'COMMANDS_OFF' });
    await noOrigin.close();
    await using readOnly = await serveInspector(source, { port: 0, desk });
    const viewer = await ViewerClient.of(readOnly.url);
    viewer.say({ type: 'command', id: 'c2', command: 'pause', params: {} });
    await viewer.until(() => viewer.of('answer').length === 1);
    expect(viewer.of('answer')[0]).toMatchObject({ state: 'refused', code: 'COMMANDS_OFF' });
    await viewer.close();
    expect(desk.given).toEqual([]);
  });

  test('that is none is told so, and ends nothing', async () => {
    const viewer = await ViewerClient.of(server.url);
    for (const params of [null, [], 'x']) viewer.say({ type: 'command', id: 'c1', command: 'pause', params });
    viewer.say({ type: 'command', command: 'pause' });
    viewer.say({ type: 'command', id: '', command: 'pause' });
    viewer.say({ type: 'command', id: 'x'.repeat(1_000), command: 'pause' });
    viewer.say({ type: 'command', id: 'c1', command: 7 });
    await viewer.until(() => viewer.of('error').length === 7);
    expect(new Set(viewer.of('error').map(({ code }) => code))).toEqual(new Set(['COMMAND_INVALID']));
    expect(viewer.closed).toBeUndefined();
    await viewer.close();
  });
});

describe('whoever has logged out', () => {
  const opened = async (authorize: InspectorOptions['authorize'] & {}) => {
    const one = await serveInspector(source, { port: 0, commands: true, desk, authorize });
    onTestFinished(() => one.close());
    const viewer = await ViewerClient.of(one.url);
    await viewer.until(() => viewer.of('registry').length === 1);
    return viewer;
  };
  const command = (id: string) => ({ type: 'command', id, command: 'pause', params: {} });

  test('gives no more commands, and loses the connection', async () => {
    let user: false | Admitted = { by: 'ann', commands: true };
    const viewer = await opened(() => user);
    viewer.say(command('1'));
    await viewer.until(() => viewer.of('answer').length === 1);
    user = { by: 'ann', commands: false };
    viewer.say(command('2'));
    await viewer.until(() => viewer.of('answer').length === 2);
    expect(viewer.of('answer').map(({ state }) => state)).toEqual(['applied', 'refused']);
    user = false;
    viewer.say(command('3'));
    viewer.say(command('4'));
    await viewer.until(() => viewer.closed !== undefined);
    expect(viewer.closed).toEqual([1008, 'LOGIN_REFUSED']);
    expect(desk.given.map(({ id, by }) => [id, by])).toEqual([['1', 'page:ann']]);
  });

  test.each(['/v1/socket', '/stately'])('does not go on looking either: %s', async (path) => {
    vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] });
    onTestFinished(() => void vi.useRealTimers());
    let user: false | Admitted = { by: 'ann', commands: false };
    await using one = await serveInspector(source, { port: 0, authorize: () => user });
    const viewer = new ViewerClient(`${one.url.replace('http', 'ws').replace(/\/$/, '')}${path}`);
    await once(viewer.socket, 'open');
    user = false;
    vi.advanceTimersByTime(30_000);
    await viewer.until(() => viewer.closed !== undefined);
    expect(viewer.closed).toEqual([1008, 'LOGIN_REFUSED']);
  });

  test('is looked for at each command in turn, so that they keep their order', async () => {
    let slow: (() => void) | undefined;
    let nth = 0;
    const viewer = await opened(async () => {
      nth += 1;
      if (nth === 2) await new Promise<void>((resolve) => (slow = resolve));
      return { by: 'ann', commands: true };
    });
    for (const id of ['1', '2', '3']) viewer.say(command(id));
    await expect.poll(() => slow).toBeDefined();
    expect(desk.given).toEqual([]);
    slow?.();
    await viewer.until(() => viewer.of('answer').length === 3);
    expect(desk.given.map(({ id }) => id)).toEqual(['1', '2', '3']);
    await viewer.close();
  });
});

describe('garbage ends its own connection, with a reason', () => {
  const cases: [string, (viewer: ViewerClient) => void, number][] = [
    ['no JSON', (viewer) => viewer.say('{'), 1002],
    ['no object', (viewer) => viewer.say('[1]'), 1002],
    ['no hello', (viewer) => viewer.say({ type: 'command', id: '1', command: 'pause', params: {} }), 1002],
    [
      'a hello that is none',
      (viewer) => viewer.say({ type: 'hello', version: 1, resume: { epoch: 1, seq: 'x' } }),
      1002,
    ],
    ['another version', (viewer) => viewer.say({ type: 'hello', version: 2 }), 1002],
    ['a binary frame', (viewer) => viewer.socket.send(Buffer.from([1, 2, 3])), 1003],
    ['a frame that is too large', (viewer) => viewer.say('x'.repeat(1_000_001)), 1009],
  ];

  test.each(cases)('%s', async (_, send, code) => {
    const other = await ViewerClient.of(server.url);
    await other.until(() => other.of('registry').length === 1);
    const address = new URL(server.url);
    const viewer = new ViewerClient(`ws://${address.host}/v1/socket${address.search}`);
    await new Promise((resolve) => viewer.socket.once('open', resolve));
    send(viewer);
    await viewer.until(() => viewer.closed !== undefined);
    expect(viewer.closed?.[0]).toBe(code);
    source.tell(1);
    await other.until(() => other.seqs.length === 1);
    expect(other.closed).toBeUndefined();
    await other.close();
  });

  test('a second hello, or anything that is no command, after the first', async () => {
    const viewer = await ViewerClient.of(server.url);
    viewer.say({ type: 'hello', version: 1 });
    await viewer.until(() => viewer.closed !== undefined);
    expect(viewer.closed).toEqual([1008, 'expected a command']);
  });
});

test('whenever viewers come, go and come back, each is told every record once and in order', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(fc.nat({ max: 40 }), { minLength: 1, maxLength: 6 }), async (bursts) => {
      const own = new StillSource();
      await using one = await serveInspector(own, { port: 0 });
      const seen: number[] = [];
      for (const burst of bursts) {
        const resume = { epoch: own.epoch, seq: (seen.at(-1) ?? 0) + 1 };
        const viewer = await ViewerClient.of(one.url, { resume });
        own.tell(burst);
        await viewer.until(
          () => seen.length + viewer.seqs.length === own.nextSeq - 1 && viewer.of('registry').length === 1,
        );
        seen.push(...viewer.seqs);
        await viewer.close();
        own.tell(burst % 7);
      }
      expect(seen).toEqual(range(1, seen.length + 1));
    }),
    { numRuns: 20 },
  );
});
