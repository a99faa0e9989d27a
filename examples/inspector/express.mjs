/** The inspector in Express: node examples/inspector/express.mjs [port] */
import { once } from 'node:events';
import express from 'express';
import { inspectorHandler } from 'perdure/inspector';
import { originOf, startSupervisor } from './supervisor.mjs';

const supervisor = await startSupervisor();
const inspector = inspectorHandler(supervisor, { basePath: '/inspector', token: process.env['INSPECTOR_TOKEN'] });

const app = express();
app.use(express.json());
app.use(inspector.basePath, inspector.handler);
app.get('/', (_, response) => response.send('The app.\n'));

const server = app.listen(Number(process.argv[2] ?? 3000), '127.0.0.1', () => {
  console.log(inspector.url(originOf(server)));
});
server.on('upgrade', inspector.upgrade);

await once(process, 'SIGTERM');
server.close();
await inspector.close();
await supervisor.close();
