/** What the other side asks of whoever calls it too often. */
import { chainOf, field } from '../machines/error-class.ts';

/**
 * How long the other side asks to be left alone, ms: `retryAfterMs` of the error, or the header Retry-After as seconds or as a
 * date (RFC 9110, 10.2.3), from `headers` or `response.headers`. Undefined when it asks nothing.
 */
export function retryAfterOf(error: unknown, now: number): number | undefined {
  for (const one of chainOf(error)) {
    const ms = field(one, 'retryAfterMs');
    if (typeof ms === 'number' && ms >= 0 && Number.isFinite(ms)) return ms;
    const text = header(field(one, 'headers')) ?? header(field(field(one, 'response'), 'headers'));
    const asked = text === undefined ? undefined : delayOf(text, now);
    if (asked !== undefined) return asked;
  }
  return undefined;
}

function header(headers: unknown): string | undefined {
  if (typeof headers !== 'object' || headers === null) return undefined;
  const get = field(headers, 'get');
  const value =
    typeof get === 'function'
      ? ((get as (name: string) => unknown).call(headers, 'retry-after') as unknown)
      : (field(headers, 'retry-after') ?? field(headers, 'Retry-After'));
  return typeof value === 'string' || typeof value === 'number' ? String(value) : undefined;
}

function delayOf(text: string, now: number): number | undefined {
  if (/^\s*\d+(\.\d+)?\s*$/.test(text)) return Number(text) * 1_000;
  const at = Date.parse(text);
  return Number.isNaN(at) ? undefined : Math.max(0, at - now);
}
