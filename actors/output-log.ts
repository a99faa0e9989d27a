/**
 * Reading what a step printed, while it runs and after. The only writer is `output-writer.mjs`.
 *
 * The log `<file>` holds the first half of what may be kept. What came after lies in segments `<file>.<offset>`, named by
 * the offset of their first byte in the whole output; the oldest go as new ones come.
 *
 * O1. The names alone say where every byte belongs, so a log whose writer was killed reads like any other.
 * O2. A reader never waits for the writer; a segment that vanishes under it was left out.
 */
import { Buffer } from 'node:buffer';
import { closeSync, fstatSync, openSync, readdirSync, readSync } from 'node:fs';
import { basename, dirname } from 'node:path';

/** Bytes of the output that are on disk in one piece, from `start` on. */
interface Piece {
  readonly start: number;
  readonly bytes: Buffer;
}

function isAbsent(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'ENOENT';
}

/** Where the log's files begin, in order; none if there is no log. */
function startsOf(file: string): number[] {
  const prefix = `${basename(file)}.`;
  try {
    const names = readdirSync(dirname(file)).filter((name) => name.startsWith(prefix));
    const starts = names.map((name) => name.slice(prefix.length)).filter((start) => /^\d+$/.test(start));
    return [0, ...starts.map(Number).toSorted((a, b) => a - b)];
  } catch (error) {
    if (isAbsent(error)) return [];
    throw error;
  }
}

/** The bytes of one file of the log; undefined if the file is gone (O2). */
function readPiece(file: string, start: number): Piece | undefined {
  let fd: number;
  try {
    fd = openSync(start === 0 ? file : `${file}.${start}`, 'r');
  } catch (error) {
    if (isAbsent(error)) return undefined;
    throw error;
  }
  try {
    const bytes = Buffer.alloc(fstatSync(fd).size);
    return { start, bytes: bytes.subarray(0, readSync(fd, bytes, 0, bytes.length, 0)) };
  } finally {
    closeSync(fd);
  }
}

/** What is on disk, neighbours joined. */
function piecesOf(file: string): Piece[] {
  const joined: Piece[] = [];
  for (const start of startsOf(file)) {
    const piece = readPiece(file, start);
    if (piece === undefined || piece.bytes.length === 0) continue;
    const last = joined.at(-1);
    if (last !== undefined && last.start + last.bytes.length === piece.start) {
      joined[joined.length - 1] = { start: last.start, bytes: Buffer.concat([last.bytes, piece.bytes]) };
    } else joined.push(piece);
  }
  return joined;
}

/** The bytes up to the last whole character. */
function withoutCutEnd(bytes: Buffer): Buffer {
  return bytes.subarray(0, bytes.length - incompleteAtEnd(bytes));
}

function incompleteAtEnd(bytes: Buffer): number {
  for (let back = 1; back <= Math.min(3, bytes.length); back++) {
    const byte = bytes[bytes.length - back] ?? 0;
    if (byte < 0x80) return 0;
    if (byte >= 0xc0) return back < (byte >= 0xf0 ? 4 : byte >= 0xe0 ? 3 : 2) ? back : 0;
  }
  return 0;
}

/** The bytes from the first whole character on. */
function withoutCutStart(bytes: Buffer): Buffer {
  let from = 0;
  while (from < 3 && from < bytes.length && ((bytes[from] ?? 0) & 0xc0) === 0x80) from++;
  return bytes.subarray(from);
}

/**
 * What a command printed: all of it, or its head, a line saying how many bytes were left out, and its tail.
 * An empty text if there is no such log.
 */
export function readOutput(file: string, maxBytes = Number.POSITIVE_INFINITY): string {
  const pieces = piecesOf(file);
  const first = pieces[0];
  const last = pieces.at(-1);
  if (first === undefined || last === undefined) return '';
  const total = last.start + last.bytes.length;
  if (first.bytes.length === total && total <= maxBytes) return first.bytes.toString('utf8');

  const tailMax = Math.min(last.bytes.length, Math.floor(Math.min(maxBytes, total) / 2));
  const tail = tailMax === 0 ? Buffer.alloc(0) : withoutCutStart(last.bytes.subarray(-tailMax));
  const headMax = first.start === 0 ? Math.ceil(Math.min(maxBytes, total) / 2) : 0;
  const head = withoutCutEnd(first.bytes.subarray(0, headMax));
  return withGap(head.toString('utf8'), total - head.length - tail.length, tail.toString('utf8'));
}

function withGap(head: string, leftOut: number, tail: string): string {
  const lineEnd = head === '' || head.endsWith('\n') ? '' : '\n';
  return `${head}${lineEnd}... ${leftOut} bytes left out ...\n${tail}`;
}
