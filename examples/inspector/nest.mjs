/** The inspector in Nest: node examples/inspector/nest.mjs [port] */
import { once } from 'node:events';
import 'reflect-metadata';
import { Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { inspectorHandler } from 'perdure/inspector';
import { originOf, startSupervisor } from './supervisor.mjs';

class AppModule {}
Module({})(AppModule);

const supervisor = await startSupervisor();
const inspector = inspectorHandler(supervisor, { basePath: '/inspector', token: process.env['INSPECTOR_TOKEN'] });

const app = await NestFactory.create(AppModule, { logger: ['error', 'warn'] });
app.use(inspector.basePath, inspector.handler);
app.getHttpServer().on('upgrade', inspector.upgrade);

await app.listen(Number(process.argv[2] ?? 3000), '127.0.0.1');
console.log(inspector.url(originOf(app.getHttpServer())));

await once(process, 'SIGTERM');
await inspector.close();
await app.close();
await supervisor.close();
