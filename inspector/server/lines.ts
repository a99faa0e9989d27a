/** Answers of any length: a line of JSON at a time, as fast as they are read. */
import { once } from 'node:events';
import type { ServerResponse } from 'node:http';
import { failureOf } from './reply.ts';

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
