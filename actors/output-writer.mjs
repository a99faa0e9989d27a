/**
 * Writes what a step prints; `output-log.ts` says how it lies on disk, and reads it. JavaScript, because the wrapper of a
 * command imports it wherever the sources are run as they are.
 */
import { closeSync, openSync, unlinkSync, writeSync } from 'node:fs';

/** @typedef {{ readonly path: string, readonly fd: number, size: number }} Segment */

const TAIL_SEGMENTS = 8;

/** Keeps the first half of the limit in `path`, the last half in segments `path.<offset of the first byte>`. */
export class OutputLog {
  /** @type {Segment[]} */
  #tail = [];
  #tailSize = 0;
  #offset = 0;
  /** @type {number} */
  #head;

  /**
   * @param {string} path
   * @param {number} limit
   */
  constructor(path, limit) {
    this.path = path;
    this.tailLimit = Math.floor(limit / 2);
    this.headLimit = limit - this.tailLimit;
    this.segmentLimit = Math.max(1, Math.floor(this.tailLimit / TAIL_SEGMENTS));
    this.#head = openSync(path, 'w', 0o600);
  }

  /** @param {Buffer} chunk */
  append(chunk) {
    const room = Math.max(0, this.headLimit - this.#offset);
    const head = chunk.subarray(0, room);
    if (head.length > 0) this.#write(this.#head, head);
    if (head.length < chunk.length) this.#appendTail(chunk.subarray(head.length));
  }

  /** @param {Buffer} chunk */
  #appendTail(chunk) {
    let rest = chunk;
    if (rest.length > this.tailLimit) {
      while (this.#tail.length > 0) this.#dropOldest();
      this.#offset += rest.length - this.tailLimit;
      rest = rest.subarray(rest.length - this.tailLimit);
    }
    while (rest.length > 0) {
      const segment = this.#roomySegment();
      const part = rest.subarray(0, this.segmentLimit - segment.size);
      while (this.#tailSize + part.length > this.tailLimit) this.#dropOldest();
      this.#write(segment.fd, part);
      segment.size += part.length;
      this.#tailSize += part.length;
      rest = rest.subarray(part.length);
    }
  }

  close() {
    closeSync(this.#head);
    for (const { fd } of this.#tail.splice(0)) closeSync(fd);
  }

  #roomySegment() {
    const last = this.#tail.at(-1);
    if (last !== undefined && last.size < this.segmentLimit) return last;
    const path = `${this.path}.${this.#offset}`;
    const segment = { path, fd: openSync(path, 'w', 0o600), size: 0 };
    this.#tail.push(segment);
    return segment;
  }

  #dropOldest() {
    const oldest = this.#tail.shift();
    if (oldest === undefined) return;
    this.#tailSize -= oldest.size;
    closeSync(oldest.fd);
    unlinkSync(oldest.path);
  }

  /**
   * @param {number} fd
   * @param {Buffer} bytes
   */
  #write(fd, bytes) {
    let written = 0;
    while (written < bytes.length) written += writeSync(fd, bytes, written);
    this.#offset += bytes.length;
  }
}
