import { spawn } from 'node:child_process';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { expect, test } from 'vitest';
import { WebSocketServer } from 'ws';

test('the unmodified @statelyai/inspect is told of every actor, event and snapshot of a supervisor', async () => {
  const server = new WebSocketServer({ port: 0 });
  const frames: { type: string; name?: string; event?: { type: string } }[] = [];
  server.on('connection', (socket) => {
    socket.on('message', (data: Buffer) => frames.push(JSON.parse(data.toString()) as (typeof frames)[number]));
  });
  await once(server, 'listening');
  const url = `ws://localhost:${(server.address() as AddressInfo).port}`;
  const example = spawn(process.execPath, ['inspector/example.mjs', url], { stdio: ['ignore', 'ignore', 'inherit'] });
  const [code] = (await once(example, 'exit')) as [number];
  server.close();
  expect(code).toBe(0);
  const actors = frames.filter(({ type }) => type === '@xstate.actor').map(({ name }) => name);
  expect(actors).toEqual(expect.arrayContaining(['executor', 'tracks', 'checkpoint']));
  const events = frames.filter(({ type }) => type === '@xstate.event').map(({ event }) => event?.type);
  expect(events).toEqual(expect.arrayContaining(['supervisor.plan', 'executor.claimed', 'action.backingOff']));
  expect(frames.some(({ type }) => type === '@xstate.snapshot')).toBe(true);
});
