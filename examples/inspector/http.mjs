/** The inspector in a plain HTTP server: node examples/inspector/http.mjs [port] */
import { once } from 'node:events';
import { createServer } from 'node:http';
import { inspectorHandler } from 'perdure/inspector';
import { originOf, startSupervisor } from './supervisor.mjs';

const supervisor = await startSupervisor();
const inspector = inspectorHandler(supervisor, { basePath: '/inspector', token: process.env['INSPECTOR_TOKEN'] });

const server = createServer((request, response) => {
  void inspector.handler(request, response, () => response.end('The app.\n'));
});
server.on('upgrade', inspector.upgrade);

server.listen(Number(process.argv[2] ?? 3000), '127.0.0.1', () => {
  console.log(inspector.url(originOf(server)));
});

await once(process, 'SIGTERM');
server.close();
await inspector.close();
await supervisor.close();
