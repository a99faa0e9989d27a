/** The inspector in Fastify: node examples/inspector/fastify.mjs [port] */
import { once } from 'node:events';
import Fastify from 'fastify';
import { inspectorHandler } from 'perdure/inspector';
import { originOf, startSupervisor } from './supervisor.mjs';

const supervisor = await startSupervisor();
const inspector = inspectorHandler(supervisor, { basePath: '/inspector', token: process.env['INSPECTOR_TOKEN'] });

const app = Fastify();
app.get('/', () => 'The app.\n');
app.register(async (scope) => {
  // The inspector reads bodies itself.
  scope.removeAllContentTypeParsers();
  scope.addContentTypeParser('*', (_request, _payload, done) => done(null));
  scope.all(`${inspector.basePath}/*`, (request, reply) => {
    reply.hijack();
    return inspector.handler(request.raw, reply.raw);
  });
});
app.server.on('upgrade', inspector.upgrade);

await app.listen({ port: Number(process.argv[2] ?? 3000), host: '127.0.0.1' });
console.log(inspector.url(originOf(app.server)));

await once(process, 'SIGTERM');
await inspector.close();
await app.close();
await supervisor.close();
