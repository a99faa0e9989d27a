/** How the server answers: one place for headers, so that none is forgotten. */
import { createHash } from 'node:crypto';
import type { IncomingMessage, OutgoingHttpHeaders, ServerResponse } from 'node:http';
import { isPerdureError } from '../../errors.ts';

/** What went wrong, as it is told. */
export interface Failure {
  readonly status: number;
  readonly code: string;
  readonly message: string;
}

const CSP = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self' data:",
  "connect-src 'self'",
  "worker-src 'self'",
  "font-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
];

/** Of everything. What is framed by others can reach nobody, and keeps the window that opened it. */
export function securityHeaders(isFramed = false): Readonly<Record<string, string>> {
  const parts = isFramed ? CSP.map((part) => part.replace(/^connect-src .*/, "connect-src 'none'")) : CSP;
  return {
    'Content-Security-Policy': [...parts, isFramed ? 'frame-ancestors *' : "frame-ancestors 'none'"].join('; '),
    'X-Content-Type-Options': 'nosniff',
    'Referrer-Policy': 'no-referrer',
    'Cross-Origin-Opener-Policy': isFramed ? 'unsafe-none' : 'same-origin',
    'Cross-Origin-Resource-Policy': isFramed ? 'cross-origin' : 'same-origin',
    'Permissions-Policy': 'camera=(), microphone=(), geolocation=()',
    ...(isFramed ? {} : { 'X-Frame-Options': 'DENY' }),
  };
}

export function secure(response: ServerResponse, isFramed = false): void {
  for (const [name, text] of Object.entries(securityHeaders(isFramed))) response.setHeader(name, text);
  if (isFramed) response.removeHeader('X-Frame-Options');
  if (!response.hasHeader('Cache-Control')) response.setHeader('Cache-Control', 'no-store');
}

/** JSON, with a weak tag of what it says: whoever has it already is told so. */
export function sendJson(request: IncomingMessage, response: ServerResponse, value: unknown): void {
  const body = JSON.stringify(value ?? null);
  const tag = `W/"${createHash('sha256').update(body).digest('base64url').slice(0, 22)}"`;
  // It may be kept, and is asked for each time.
  response.setHeader('Cache-Control', 'private, no-cache');
  response.setHeader('ETag', tag);
  if (request.headers['if-none-match'] === tag) {
    response.writeHead(304).end();
    return;
  }
  send(response, 200, body, { 'Content-Type': 'application/json; charset=utf-8' });
}

export function send(
  response: ServerResponse,
  status: number,
  body: string | Buffer,
  headers: OutgoingHttpHeaders = {},
): void {
  response.writeHead(status, { ...headers, 'Content-Length': Buffer.byteLength(body) }).end(body);
}

export function sendFailure(response: ServerResponse, { status, code, message }: Failure): void {
  const body = JSON.stringify({ code, message });
  if (status === 401) response.setHeader('WWW-Authenticate', 'Bearer realm="perdure inspector"');
  send(response, status, body, { 'Content-Type': 'application/json; charset=utf-8', 'Cache-Control': 'no-store' });
}

/** Thrown by whoever answers, for what has no code of Perdure's own. */
export class ReplyFailure extends Error implements Failure {
  override readonly name = 'ReplyFailure';
  readonly status: number;
  readonly code: string;

  constructor(status: number, code: string, message: string) {
    super(message);
    this.status = status;
    this.code = code;
  }
}

const NOT_FOUND = /_(?:UNKNOWN|NOT_FOUND)$/;
const UNAVAILABLE = /^STORE_|^ACTOR_STOPPED$/;

/** What is told of anything that was thrown. Of what nobody foresaw nothing is, for it may name what nobody should see. */
export function failureOf(error: unknown): Failure {
  if (error instanceof ReplyFailure) return error;
  if (!isPerdureError(error)) {
    return { status: 500, code: 'INTERNAL', message: 'Something failed that nobody foresaw: see the log of the host.' };
  }
  const { code, message } = error;
  return { status: statusOf(code), code, message };
}

function statusOf(code: string): number {
  if (code === 'OPTIONS_INVALID' || code === 'EVENT_INVALID') return 400;
  if (code === 'CHART_TOO_LARGE') return 413;
  if (NOT_FOUND.test(code)) return 404;
  return UNAVAILABLE.test(code) ? 503 : 409;
}
