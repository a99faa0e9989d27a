/** Answers of any length: a line of JSON at a time, as fast as they are read. */
import { once } from 'node:events';
import type { ServerResponse } from 'node:http';
import { PROTOCOL_VERSION, type ExportLine, type ServerHello } from './protocol.ts';
import { failureOf } from './reply.ts';
import type { Source } from './source.ts';

/** Writes what `make` gives until whoever asked goes away. What fails before the first line throws; after it, it is the last line. */
export async function sendLines(
  response: ServerResponse,
  make: (signal: AbortSignal) => AsyncIterable<unknown>,
): Promise<void> {
  const gone = new AbortController();
  response.once('close', () => gone.abort());
  const lines = make(gone.signal)[Symbol.asyncIterator]();
  let line = await lines.next();
  response.writeHead(200, { 'Content-Type': 'application/x-ndjson; charset=utf-8' });
  if (response.req.method === 'HEAD') {
    await lines.return?.();
    response.end();
    return;
  }
  try {
    for (; line.done !== true && !gone.signal.aborted; line = await lines.next()) {
      if (response.write(`${JSON.stringify(line.value)}\n`)) continue;
      await once(response, 'drain', { signal: gone.signal });
    }
  } catch (error) {
    if (gone.signal.aborted) return;
    const { code, message } = failureOf(error);
    response.write(`${JSON.stringify({ type: 'error', code, message })}\n`);
  } finally {
    await lines.return?.();
  }
  response.end();
}

/** All that is known, for another inspector to open without this process. */
export async function* exportLines(
  source: Source,
  hello: ServerHello,
  signal: AbortSignal,
): AsyncGenerator<ExportLine> {
  yield { type: 'export', version: PROTOCOL_VERSION, at: Date.now(), hello };
  const actors = source.registry();
  yield { type: 'registry', actors };
  for (const id of new Set(actors.map(({ chart }) => chart))) {
    const chart = id === null ? undefined : source.chart(id);
    if (chart !== undefined) yield { type: 'chart', chart };
  }
  for (const { id } of actors) {
    signal.throwIfAborted();
    const detail = source.actor(id);
    if (detail !== undefined) yield { type: 'detail', detail };
  }
  if (source.capabilities.history)
    for await (const record of source.history({ signal })) yield { type: 'record', record };
  for (const record of source.recordsFrom(0).records) yield { type: 'record', record };
}
