import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import { existsSync, readFileSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { defineAction } from '../../actors/actions.ts';
import { Store } from '../../persistence/store.ts';
import { spawnSupervisor } from '../../inspector/spawn.ts';
import { request } from '../support/raw-http.ts';
import { tempStore } from '../support/temp.ts';
import { ViewerClient } from '../support/viewer-client.ts';

const actions = { note: defineAction({ run: (text: string) => text }) };
const TOKEN = 'a-token-of-this-test-alone';
const announce = () => {};

const servers: Server[] = [];
afterEach(() => {
  for (const server of servers.splice(0)) server.close();
});

async function takenPort(): Promise<number> {
  const server = createServer();
  servers.push(server);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return (server.address() as AddressInfo).port;
}

function get(url: string, path: string): Promise<Response> {
  const { origin, searchParams } = new URL(url);
  return fetch(`${origin}${path}`, { headers: { Authorization: `Bearer ${searchParams.get('token')}` } });
}

describe('a supervisor', () => {
  test('has no inspector unless one is asked for', async () => {
    await using supervisor = await spawnSupervisor({ store: tempStore(), actions });
    expect(supervisor.inspector).toBeUndefined();
    await using without = await spawnSupervisor({ store: tempStore(), actions, inspector: false });
    expect(without.inspector).toBeUndefined();
  });

  test('is shown by its inspector, which ends with it', async () => {
    const supervisor = await spawnSupervisor({
      store: tempStore(),
      actions,
      inspector: { port: 0, announce, badge: 'here' },
    });
    const { url, port } = supervisor.inspector;
    expect(new URL(url).port).toBe(String(port));
    const hello = (await (await get(url, '/v1/hello')).json()) as Record<string, unknown>;
    expect(hello).toMatchObject({
      badge: 'here',
      capabilities: { supervisor: true, live: true, commands: false },
      store: { path: supervisor.durable.store.path, id: supervisor.durable.store.id },
      pid: process.pid,
    });
    const viewer = await ViewerClient.of(url);
    await viewer.until(() => viewer.of('registry').length === 1);
    expect(viewer.of('registry')[0]?.actors.map(({ id }) => id)).toEqual(
      expect.arrayContaining(['main', 'main/executor']),
    );
    await supervisor.execute('note', 'x');
    await viewer.until(() => viewer.of('committed').length > 0 && viewer.seqs.length > 0);
    const overview = (await (await get(url, '/v1/views/overview')).json()) as { outcomes: Record<string, number> };
    expect(overview.outcomes['ok']).toBe(1);
    await supervisor.close();
    await viewer.until(() => viewer.closed !== undefined);
    expect(viewer.closed?.[0]).toBe(1001);
    await expect(fetch(new URL(url).origin)).rejects.toThrow();
  });

  test('is steered through it where that is allowed', async () => {
    await using supervisor = await spawnSupervisor({
      store: tempStore(),
      actions,
      inspector: { port: 0, announce, commands: true },
    });
    const { url } = supervisor.inspector;
    const { origin, searchParams } = new URL(url);
    const answer = await fetch(`${origin}/v1/commands`, {
      method: 'POST',
      headers: {
        Authorization: `Bearer ${searchParams.get('token')}`,
        Origin: origin,
        'Content-Type': 'application/json',
      },
      body: JSON.stringify({ id: '018f0000-0000-7000-8000-000000000000', command: 'pause', params: {} }),
    });
    expect(await answer.json()).toMatchObject({ state: 'applied' });
    expect(['pausing', 'paused']).toContain(supervisor.durable.getSnapshot().value);
    const audit = (await (await get(url, '/v1/commands')).json()) as { by: string }[];
    expect(audit.map(({ by }) => by)).toEqual(['http']);
    expect(await (await get(url, '/v1/commands/known')).json()).toEqual(
      expect.arrayContaining([expect.objectContaining({ name: 'pause' })]),
    );
    await supervisor.resume();
  });

  test('whose port is taken does not start, and its store is not touched', async () => {
    const port = await takenPort();
    const path = tempStore();
    const options = { store: path, actions, inspector: { port, announce } };
    await expect(spawnSupervisor(options)).rejects.toMatchObject({ code: 'INSPECTOR_PORT_TAKEN', facts: { port } });
    expect(existsSync(path)).toBe(false);
    Store.open(path).close();
  });

  test('whose store cannot be opened leaves no port taken', async () => {
    const port = await takenPort();
    servers.splice(0).forEach((server) => server.close());
    const path = tempStore();
    const owner = Store.open(path);
    const options = { store: path, actions, inspector: { port, announce } };
    await expect(spawnSupervisor(options)).rejects.toMatchObject({ code: 'STORE_OWNED' });
    owner.close();
    await using supervisor = await spawnSupervisor(options);
    expect(supervisor.inspector.port).toBe(port);
  });

  test('that is aborted while it is started leaves nobody listening', async () => {
    const controller = new AbortController();
    const supervisor = await spawnSupervisor({
      store: tempStore(),
      actions,
      signal: controller.signal,
      inspector: { port: 0, announce },
    });
    controller.abort();
    const { url } = supervisor.inspector;
    await expect
      .poll(() =>
        fetch(new URL(url).origin).then(
          () => 'there',
          () => 'gone',
        ),
      )
      .toBe('gone');
  });

  test.each([
    ['a number', 7],
    ['a text', 'yes'],
    ['null', null],
    ['an unknown option', { prot: 1 }],
    ['an address of others without a token', { host: '0.0.0.0' }],
    ['an announcement that is no function', { announce: 7 }],
  ])('refuses an inspector that is %s', async (_, inspector) => {
    const path = tempStore();
    await expect(spawnSupervisor({ store: path, actions, inspector: inspector as never })).rejects.toMatchObject({
      code: 'OPTIONS_INVALID',
    });
    expect(existsSync(path)).toBe(false);
  });
});

test('the address is written to stderr once, with the token, which is nowhere else', async () => {
  const written: string[] = [];
  const spy = vi.spyOn(process.stderr, 'write').mockImplementation((text) => written.push(String(text)) > 0);
  const supervisor = await spawnSupervisor({
    store: tempStore(),
    actions,
    inspector: { port: 0, token: TOKEN },
  }).finally(() => spy.mockRestore());
  const url = supervisor.inspector.url;
  expect(written).toEqual([`Inspector: ${url}\n`]);
  expect(url).toContain(TOKEN);
  const host = ['Host', new URL(url).host] as const;
  const paths = ['/v1/hello', '/v1/actors', '/v1/views/overview', '/metrics', '/v1/commands', '/v1/export'];
  for (const path of paths) {
    const { status, head, body } = await request(Number(new URL(url).port), 'GET', path, [
      host,
      ['Authorization', `Bearer ${TOKEN}`],
    ]);
    expect(status).toBe(200);
    expect(`${head}${body}`).not.toContain(TOKEN);
  }
  const { path } = supervisor.durable.store;
  await supervisor.close();
  expect(readFileSync(path, 'latin1')).not.toContain(TOKEN);
});

test('the default port is 7337, or the next that is free', async () => {
  await using one = await spawnSupervisor({ store: tempStore(), actions, inspector: { announce } });
  await using two = await spawnSupervisor({ store: tempStore(), actions, inspector: { announce } });
  const [first, second] = [one.inspector.port, two.inspector.port];
  expect(first).toBeGreaterThanOrEqual(7337);
  expect(second).toBeGreaterThan(first);
});
