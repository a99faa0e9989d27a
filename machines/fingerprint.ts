/**
 * Which errors are the same fault: the type, the code, the message with its volatile parts masked, and the topmost frames of
 * our own code, without line numbers. So an edit elsewhere in a file, another id or another path makes no other fault.
 */

/** Masked in this order: the longer shapes before the numbers in them. */
const VOLATILE: readonly (readonly [RegExp, string])[] = [
  [/\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b/gi, '<uuid>'],
  [/\b\d{4}-\d\d-\d\d(?:[T ]\d\d:\d\d(?::\d\d(?:\.\d+)?)?(?:Z|[+-]\d\d:?\d\d)?)?/g, '<date>'],
  [/\b[a-z][a-z0-9+.-]*:\/\/[^\s'"`)\]}]+/gi, '<url>'],
  [/'[^'\n]{0,200}'|"[^"\n]{0,200}"|`[^`\n]{0,200}`/g, '<text>'],
  [/(?:\b[A-Za-z]:)?(?:\.{0,2}[\\/][\w.@+~-]+){1,}[\\/]?/g, '<path>'],
  [/\b0x[0-9a-f]+\b/gi, '<hex>'],
  [/\b(?=[0-9a-f]*\d)(?=[0-9a-f]*[a-f])[0-9a-f]{8,}\b/gi, '<hex>'],
  [/[+-]?\d+(?:[.,:]\d+)*/g, '<n>'],
];

const MESSAGE_LIMIT = 300;
const FRAMES = 3;

export interface FaultFacts {
  readonly name: string;
  readonly code: string | null;
  readonly message: string;
  /** As V8 writes it; absent for what is no Error. */
  readonly stack?: string;
}

/** A message without what changes from one time to the next. */
export function templateOf(message: string): string {
  const template = VOLATILE.reduce(
    (text, [shape, mask]) => text.replace(shape, mask),
    message.slice(0, MESSAGE_LIMIT * 4),
  );
  return template.slice(0, MESSAGE_LIMIT);
}

/** The topmost frames that are neither Node's nor a package's, as `function@file`. */
export function framesOf(stack: string): string[] {
  const frames: string[] = [];
  for (const line of stack.split('\n')) {
    const [, named, at] = /^\s+at (?:(?:async )?(.+?) \()?(.+?)(?::\d+){0,2}\)?$/.exec(line) ?? [];
    if (at === undefined || at.startsWith('node:') || at === 'native' || /[\\/]node_modules[\\/]/.test(at)) continue;
    const file = at.split(/[\\/]/).at(-1) ?? at;
    frames.push(`${named ?? ''}@${file.replace(/\?.*$/, '')}`);
    if (frames.length === FRAMES) break;
  }
  return frames;
}

/** 16 hexadecimal digits, the same for the same fault. */
export function fingerprintOf({ name, code, message, stack }: FaultFacts): string {
  const frames = stack === undefined ? [] : framesOf(stack);
  return hash([name, code ?? '', templateOf(message), ...frames].join('\n'));
}

/** FNV-1a over UTF-16 units, twice with different starts: 64 bits that need no library. Source: Fowler, Noll, Vo. */
function hash(text: string): string {
  return half(text, 0x811c9dc5) + half(text, 0x01000193);
}

function half(text: string, start: number): string {
  let sum = start;
  for (let i = 0; i < text.length; i++) sum = Math.imul(sum ^ text.charCodeAt(i), 0x01000193);
  // Murmur3's last step: the low bits of FNV alone say little of the first characters.
  sum = Math.imul(sum ^ (sum >>> 16), 0x85ebca6b);
  sum = Math.imul(sum ^ (sum >>> 13), 0xc2b2ae35);
  return ((sum ^ (sum >>> 16)) >>> 0).toString(16).padStart(8, '0');
}
