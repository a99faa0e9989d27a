/**
 * A disk that can lose its power: it knows of every file what is surely on it and what may be. Each sector, size and
 * name keeps the versions since its last sync that succeeded; after a power cut any one of them is there.
 *
 * K1  A write is on the disk when a later sync of its file succeeded.
 * K2  Until then any sector of it may be there or not, in any order with others, so writes may be torn.
 * K3  What a failed sync should have written may be lost for ever: the kernel has forgotten that it is unwritten.
 * K4  A created or removed name is on the disk when the folder was synced.
 * K5  A truncation is there as a whole or not at all: a file system writes the new size before it gives the blocks away. So
 *     it goes with the size, and never erases some sectors of those that it cut off. Later writes need not wait for it.
 */

/** A change of the disk, as the process asked for it. */
export type DiskEvent =
  | { readonly kind: 'create'; readonly name: string; readonly file: number }
  | { readonly kind: 'unlink'; readonly name: string }
  | { readonly kind: 'write'; readonly file: number; readonly offset: number; readonly data: Buffer }
  | { readonly kind: 'truncate'; readonly file: number; readonly size: number }
  | { readonly kind: 'sync'; readonly file: number; readonly succeeded: boolean }
  | { readonly kind: 'syncFolder' }
  /** Not a change: what the outside was told. */
  | { readonly kind: 'note'; readonly name: string; readonly text: string };

/** How much of what may be on the disk is on it. */
export type Loss = 'everything' | 'nothing' | 'tail' | 'sectors';

const SECTOR = 512;

interface Version<T> {
  readonly value: T;
  readonly at: number;
  /** Made by a truncation (K5). */
  readonly erased: boolean;
  /** A sync of it failed (K3). */
  doomed: boolean;
}

/** How much of it a power cut takes; `until` is the moment at which a tail begins. */
interface Cut {
  readonly loss: Loss;
  readonly until: number;
  readonly random: () => number;
}

/** Something with a version that is surely on the disk, and later ones that may be. */
class Uncertain<T> {
  #sure: Version<T>;
  #versions: Version<T>[] = [];

  constructor(sure: T) {
    this.#sure = { value: sure, at: 0, erased: false, doomed: false };
  }

  get latest(): T {
    return (this.#versions.at(-1) ?? this.#sure).value;
  }

  set(value: T, at: number, erased = false): void {
    this.#versions.push({ value, at, erased, doomed: false });
  }

  sync(succeeded: boolean): void {
    if (!succeeded) {
      for (const version of this.#versions) version.doomed = true;
      return;
    }
    const written = this.#versions.findLastIndex(({ doomed }) => !doomed);
    if (written === -1) return;
    this.#sure = this.#versions[written] as Version<T>;
    this.#versions = this.#versions.slice(written + 1);
  }

  /** What is there after the power cut. `truncated` is the moment of the last truncation that is there, too (K5). */
  after({ loss, until, random }: Cut, truncated = Infinity): Version<T> {
    const all = [this.#sure, ...this.#versions];
    const cutOff = all.findLastIndex(({ at, erased }) => erased && at <= truncated);
    const possible = all.slice(Math.max(cutOff, 0)).filter(({ at, erased }) => !erased || at <= truncated);
    const [first, last] = [possible[0] as Version<T>, possible.at(-1) as Version<T>];
    if (loss === 'everything') return first;
    if (loss === 'nothing') return last;
    if (loss === 'tail') return possible.findLast(({ at }) => at <= until) ?? first;
    return possible[Math.floor(random() * possible.length)] as Version<T>;
  }
}

const ZEROS = Buffer.alloc(SECTOR);

class DiskFile {
  readonly #sectors = new Map<number, Uncertain<Buffer>>();
  readonly #size = new Uncertain(0);

  write(offset: number, data: Buffer, at: number): void {
    for (let done = 0; done < data.length;) {
      const [sector, start] = [Math.floor((offset + done) / SECTOR), (offset + done) % SECTOR];
      const part = data.subarray(done, done + SECTOR - start);
      const held = this.#sector(sector);
      const value = Buffer.from(held.latest);
      part.copy(value, start);
      held.set(value, at);
      done += part.length;
    }
    if (offset + data.length > this.#size.latest) this.#size.set(offset + data.length, at);
  }

  truncate(size: number, at: number): void {
    for (const [sector, held] of this.#sectors) if (sector * SECTOR >= size) held.set(ZEROS, at, true);
    this.#size.set(size, at);
  }

  sync(succeeded: boolean): void {
    for (const held of this.#sectors.values()) held.sync(succeeded);
    this.#size.sync(succeeded);
  }

  after(cut: Cut): Buffer {
    const size = this.#size.after(cut);
    const content = Buffer.alloc(size.value);
    for (const [sector, held] of this.#sectors) held.after(cut, size.at).value.copy(content, sector * SECTOR);
    return content;
  }

  #sector(number: number): Uncertain<Buffer> {
    let held = this.#sectors.get(number);
    if (held === undefined) this.#sectors.set(number, (held = new Uncertain<Buffer>(ZEROS)));
    return held;
  }
}

export class Disk {
  readonly #files = new Map<number, DiskFile>();
  readonly #names = new Map<string, Uncertain<number | undefined>>();
  #time = 0;
  /** What the outside was told so far, by the name of the note. */
  readonly notes = new Map<string, string>();

  apply(event: DiskEvent): void {
    this.#time += 1;
    if (event.kind === 'create') this.#name(event.name).set(event.file, this.#time);
    else if (event.kind === 'unlink') this.#name(event.name).set(undefined, this.#time);
    else if (event.kind === 'write') this.#file(event.file).write(event.offset, event.data, this.#time);
    else if (event.kind === 'truncate') this.#file(event.file).truncate(event.size, this.#time);
    else if (event.kind === 'sync') this.#file(event.file).sync(event.succeeded);
    else if (event.kind === 'note') this.notes.set(event.name, (this.notes.get(event.name) ?? '') + event.text);
    else for (const name of this.#names.values()) name.sync(true);
  }

  /** The files after a power cut now. A tail begins within the last `tail` changes. */
  after(loss: Loss, random: () => number, tail = 40): Map<string, Buffer> {
    const cut: Cut = { loss, until: this.#time - Math.floor(random() * tail), random };
    const image = new Map<string, Buffer>();
    for (const [name, held] of this.#names) {
      const { value: file } = held.after(cut);
      if (file !== undefined) image.set(name, this.#file(file).after(cut));
    }
    return image;
  }

  #name(name: string): Uncertain<number | undefined> {
    let held = this.#names.get(name);
    if (held === undefined) this.#names.set(name, (held = new Uncertain<number | undefined>(undefined)));
    return held;
  }

  #file(number: number): DiskFile {
    let file = this.#files.get(number);
    if (file === undefined) this.#files.set(number, (file = new DiskFile()));
    return file;
  }
}
