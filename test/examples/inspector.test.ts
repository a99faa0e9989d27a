import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { expect, test } from 'vitest';
import { request, sendRaw, upgrade } from '../support/raw-http.ts';
import { ViewerClient } from '../support/viewer-client.ts';

const INSPECTOR_TOKEN = 'a-token-of-this-test-alone';

test.each(['http', 'express', 'fastify', 'nest', 'hono'])('the inspector is mounted in an app: %s', async (name) => {
  const app = spawn(process.execPath, [`examples/inspector/${name}.mjs`, '0'], {
    env: { ...process.env, INSPECTOR_TOKEN },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const exited = once(app, 'exit');
  const [url] = (await once(createInterface(app.stdout), 'line')) as [string];
  expect(url).toMatch(/^http:\/\/localhost:\d+\/inspector\/\?token=a-token-of-this-test-alone$/);
  const { origin, port, host } = new URL(url);
  const base = `${origin}/inspector`;
  const headers = { Authorization: `Bearer ${INSPECTOR_TOKEN}` };

  expect(await (await fetch(`${origin}/`)).text()).toMatch(name === 'nest' ? /404/ : /^The app\.\n$/);
  expect((await fetch(`${base}s`)).status).toBe(name === 'http' ? 200 : 404);
  expect((await fetch(`${base}/v1/hello`)).status).toBe(401);
  const hello = await fetch(`${base}/v1/hello`, { headers });
  expect([hello.status, await hello.json()]).toMatchObject([
    200,
    { capabilities: { supervisor: true, commands: false } },
  ]);
  expect((await request(Number(port), 'GET', '/inspector/v1/hello', [['Host', `evil.com:${port}`]])).status).toBe(403);

  const opened = await fetch(url, { redirect: 'manual' });
  expect([opened.status, opened.headers.get('location')]).toEqual([303, './']);
  expect(opened.headers.get('set-cookie')).toMatch(/; Path=\/inspector\/; HttpOnly; SameSite=Strict$/);

  const command = await fetch(`${base}/v1/commands`, {
    method: 'POST',
    headers: { ...headers, Origin: origin, 'Content-Type': 'application/json' },
    body: JSON.stringify({ id: '018f0000-0000-7000-8000-000000000000', command: 'pause', params: {} }),
  });
  expect([command.status, await command.json()]).toMatchObject([403, { code: 'COMMANDS_OFF' }]);

  const elsewhere = await upgrade(Number(port), '/chat', [['Host', host]]);
  expect(elsewhere.status).toBe(404);
  const h2c = `GET / HTTP/1.1\r\nHost: ${host}\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n`;
  expect((await sendRaw(Number(port), h2c)).body).toMatch(name === 'nest' ? /404/ : /The app\.\n/);

  const refused = await upgrade(Number(port), '/inspector/v1/socket', [['Host', host]]);
  refused.socket.destroy();
  expect(refused.status).toBe(401);
  const viewer = await ViewerClient.of(url);
  await viewer.until(() => viewer.of('registry').length === 1);
  expect(viewer.of('registry')[0]?.actors.map(({ id }) => id)).toContain('main/executor');

  app.kill('SIGTERM');
  await viewer.until(() => viewer.closed !== undefined);
  expect(viewer.closed?.[0]).toBe(1001);
  expect(await exited).toEqual([0, null]);
});
