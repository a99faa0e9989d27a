/** The inspector in a plain HTTP server: node examples/inspector/http.mjs [port] */
import { createServer } from 'node:http';
import { inspectorHandler } from 'perdure/inspector';
import { startSupervisor } from './supervisor.mjs';

const supervisor = await startSupervisor();
const inspector = inspectorHandler(supervisor, { basePath: '/inspector', token: process.env['INSPECTOR_TOKEN'] });

const server = createServer((request, response) => {
  if (request.url?.startsWith(inspector.basePath)) return inspector.handler(request, response);
  response.end('The app.\n');
});
server.on('upgrade', (request, socket, head) => {
  if (!inspector.upgrade(request, socket, head)) socket.destroy();
});

server.listen(Number(process.argv[2] ?? 3000), '127.0.0.1', () => {
  console.log(inspector.url(`http://localhost:${server.address().port}`));
});

process.once('SIGTERM', async () => {
  server.close();
  await inspector.close();
  await supervisor.close();
});
