/** The inspector in Hono on Node: node examples/inspector/hono.mjs [port] */
import { once } from 'node:events';
import { serve } from '@hono/node-server';
import { RESPONSE_ALREADY_SENT } from '@hono/node-server/utils/response';
import { Hono } from 'hono';
import { inspectorHandler } from 'perdure/inspector';
import { startSupervisor } from './supervisor.mjs';

const supervisor = await startSupervisor();
const inspector = inspectorHandler(supervisor, { basePath: '/inspector', token: process.env['INSPECTOR_TOKEN'] });

/** @type {Hono<{ Bindings: import('@hono/node-server').HttpBindings }>} */
const app = new Hono();
app.get('/', (context) => context.text('The app.\n'));
app.all(`${inspector.basePath}/*`, async ({ env }) => {
  await inspector.handler(env.incoming, env.outgoing);
  return RESPONSE_ALREADY_SENT;
});

const server = serve({ fetch: app.fetch, port: Number(process.argv[2] ?? 3000), hostname: '127.0.0.1' }, ({ port }) => {
  console.log(inspector.url(`http://localhost:${port}`));
});
server.on('upgrade', inspector.upgrade);

await once(process, 'SIGTERM');
server.close();
await inspector.close();
await supervisor.close();
