/** Reads what a request carries, and no more than that. */
import type { IncomingMessage } from 'node:http';
import { ReplyFailure } from './reply.ts';

/** Bytes. */
export const LARGEST_BODY = 1_000_000;

/** JSON; throws what is told to whoever sent something else. A host's parser may have read it before, as Express' and Nest's do. */
export async function jsonOf(request: IncomingMessage & { readonly body?: unknown }): Promise<unknown> {
  // A form can be sent by any page without asking; JSON cannot.
  if (!/^application\/json\s*(?:;|$)/i.test(request.headers['content-type'] ?? '')) {
    throw new ReplyFailure(400, 'BODY_INVALID', 'Expected a body of Content-Type application/json.');
  }
  if (request.body !== undefined && request.readableEnded) return request.body;
  const text = await textOf(request);
  try {
    return JSON.parse(text);
  } catch {
    throw new ReplyFailure(400, 'BODY_INVALID', 'The body is not JSON.');
  }
}

function textOf(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  let size = 0;
  return new Promise((resolve, reject) => {
    request.on('data', (chunk: Buffer) => {
      size += chunk.length;
      if (size <= LARGEST_BODY) {
        chunks.push(chunk);
        return;
      }
      // To end the stream would end the connection, and nobody would hear why.
      request.removeAllListeners('data').pause();
      reject(new ReplyFailure(413, 'BODY_TOO_LARGE', `The body has more than ${LARGEST_BODY} bytes.`));
    });
    request.once('end', () => resolve(Buffer.concat(chunks).toString()));
    request.once('error', reject);
    request.once('close', () => reject(new ReplyFailure(400, 'BODY_INVALID', 'The body ended before its end.')));
  });
}
