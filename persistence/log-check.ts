/**
 * Looks at the write-ahead log that an earlier life left, before SQLite does. SQLite takes the log to end at its first frame
 * whose checksum is wrong, and says nothing: one flipped bit takes every turn after it back.
 *
 * L1  A frame that is wrong, with a whole transaction and more behind it, is damage: in the mode `power-loss` a transaction
 *     is synced before the next one is begun, whoever writes it, so no crash and no power cut leaves that.
 * L2  A wrong frame in the newest transaction may be one that was never finished, and is not reported.
 *
 * The log may be opened here, beside SQLite: the locks of a store are on its database and on its index, not on its log.
 */
import { existsSync, readFileSync } from 'node:fs';

/** What is wrong with a log (the file format's section 4). */
export interface LogDamage {
  /** Frames up to the damage, which SQLite will restore as far as they make whole transactions. */
  readonly whole: number;
  /** Frames of the same log from there on, which SQLite will drop. */
  readonly dropped: number;
}

const HEADER = 32;
const FRAME_HEADER = 24;
const LITTLE_ENDIAN = 0x377f0682;
const BIG_ENDIAN = 0x377f0683;
type Sum = readonly [number, number];

/** What is certainly damaged in the log of the store at `path`; undefined for a good log, or none. */
export function inspectLog(path: string): LogDamage | undefined {
  const file = `${path}-wal`;
  if (!existsSync(file)) return undefined;
  const log = readFileSync(file);
  const frameSize = FRAME_HEADER + pageSizeOf(log);
  const frames = Math.floor((log.length - HEADER) / frameSize);
  // The header is synced before the first frame is written.
  if (log.length <= HEADER) return undefined;
  if (!hasGoodHeader(log)) return { whole: 0, dropped: Math.max(frames, 1) };
  const whole = wholeFrames(log, frameSize, frames);
  const own = followers(log, frameSize, whole, frames);
  const firstCommit = own.findIndex(
    (frame) => isCommit(log, HEADER + frame * frameSize) || (frame === whole && hasLostItsMark(log, frameSize, frame)),
  );
  return firstCommit === -1 || firstCommit === own.length - 1 ? undefined : { whole, dropped: own.length };
}

export function describeDamage({ whole, dropped }: LogDamage): string {
  return (
    `The write-ahead log was damaged after ${whole} pages: ${dropped} more were dropped, and with them turns that had been ` +
    'acknowledged. What came back is an earlier state; compare it with a backup.'
  );
}

function pageSizeOf(log: Buffer): number {
  const size = log.length < HEADER ? 0 : log.readUInt32BE(8);
  const isSize = size >= 512 && size <= 65_536 && (size & (size - 1)) === 0;
  return isSize ? size : 4_096;
}

function hasGoodHeader(log: Buffer): boolean {
  const magic = log.readUInt32BE(0);
  if (magic !== LITTLE_ENDIAN && magic !== BIG_ENDIAN) return false;
  const [first, second] = checksum(log, 0, 24, [0, 0]);
  return first === log.readUInt32BE(24) && second === log.readUInt32BE(28);
}

/** How many frames follow each other without a flaw. */
function wholeFrames(log: Buffer, frameSize: number, frames: number): number {
  for (let frame = 0; frame < frames; frame++) {
    if (!continues(log, frameSize, frame) || !isOwn(log, HEADER + frame * frameSize)) return frame;
  }
  return frames;
}

/**
 * The frames from the flawed one on that belong to this log, and not to an older one that it writes over. A frame that
 * goes on from the last good one does, whatever its salts say: no checksum covers them.
 */
function followers(log: Buffer, frameSize: number, flawed: number, frames: number): number[] {
  const own: number[] = [];
  for (let frame = flawed; frame < frames; frame++) {
    const belongs = isOwn(log, HEADER + frame * frameSize) || (frame === flawed && continues(log, frameSize, frame));
    if (belongs) own.push(frame);
  }
  return own;
}

/** Whether the checksum of the frame goes on from the one before it, or from the header's. */
function continues(log: Buffer, frameSize: number, frame: number): boolean {
  const at = HEADER + frame * frameSize;
  const before = frame === 0 ? 24 : at - frameSize + 16;
  let sum: Sum = [log.readUInt32BE(before), log.readUInt32BE(before + 4)];
  sum = checksum(log, at, at + 8, sum);
  sum = checksum(log, at + FRAME_HEADER, at + frameSize, sum);
  return sum[0] === log.readUInt32BE(at + 16) && sum[1] === log.readUInt32BE(at + 20);
}

/** Whether the frame carries the salts of the log's header. */
function isOwn(log: Buffer, at: number): boolean {
  return log.readUInt32BE(at + 8) === log.readUInt32BE(16) && log.readUInt32BE(at + 12) === log.readUInt32BE(20);
}

function isCommit(log: Buffer, at: number): boolean {
  return log.readUInt32BE(at + 4) !== 0;
}

/**
 * Whether the flawed frame ended a transaction: one bit of its mark, which is the size of the database in pages, is all that it lacks. A
 * size that is a power of two has one bit only, and without it the frame looks as if its transaction went on.
 */
function hasLostItsMark(log: Buffer, frameSize: number, frame: number): boolean {
  const mark = HEADER + frame * frameSize + 4;
  const bits = Array.from({ length: 32 }, (_, bit) => (1 << bit) >>> 0);
  const found = bits.some((bit) => {
    log.writeUInt32BE(bit, mark);
    return continues(log, frameSize, frame);
  });
  log.writeUInt32BE(0, mark);
  return found;
}

/** SQLite's: words of the log's own byte order, two at a time. */
function checksum(log: Buffer, from: number, to: number, [first, second]: Sum): Sum {
  const isBig = log.readUInt32BE(0) === BIG_ENDIAN;
  for (let at = from; at < to; at += 8) {
    first = (first + (isBig ? log.readUInt32BE(at) : log.readUInt32LE(at)) + second) >>> 0;
    second = (second + (isBig ? log.readUInt32BE(at + 4) : log.readUInt32LE(at + 4)) + first) >>> 0;
  }
  return [first, second];
}
