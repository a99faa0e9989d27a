/** A stream that people may look at: whether it is a terminal, how wide it is, and in which colours it is written to. */

/** Colours by what they mean. */
export interface Paint {
  good(text: string): string;
  bad(text: string): string;
  warn(text: string): string;
  dim(text: string): string;
}

const plain = (text: string): string => text;
export const NO_PAINT: Paint = { good: plain, bad: plain, warn: plain, dim: plain };
/** Not `styleText` of node:util: it looks at stdout, and this may be for stderr. */
const COLOURS: Paint = {
  good: (text) => `\u001b[32m${text}\u001b[39m`,
  bad: (text) => `\u001b[31m${text}\u001b[39m`,
  warn: (text) => `\u001b[33m${text}\u001b[39m`,
  dim: (text) => `\u001b[2m${text}\u001b[22m`,
};

/** What is needed of process.stderr. */
export type TerminalStream = Pick<NodeJS.WriteStream, 'write'> &
  Partial<Pick<NodeJS.WriteStream, 'isTTY' | 'columns' | 'rows'>>;

/** Colours for a terminal, unless NO_COLOR is set to anything. */
export function paintFor(stream: TerminalStream, env: NodeJS.ProcessEnv = process.env): Paint {
  const refused = env['NO_COLOR'] !== undefined && env['NO_COLOR'] !== '';
  return stream.isTTY === true && !refused && env['TERM'] !== 'dumb' ? COLOURS : NO_PAINT;
}

/** Lines that stay, and below them, on a terminal, lines that are drawn again and again. */
export class LiveText {
  readonly #stream: TerminalStream;
  #drawn = 0;

  constructor(stream: TerminalStream) {
    this.#stream = stream;
  }

  get isLive(): boolean {
    return this.#stream.isTTY === true;
  }

  /** Terminals that do not know their size say 0. */
  get size(): { readonly columns: number; readonly rows: number } {
    return { columns: this.#stream.columns || 80, rows: this.#stream.rows || 24 };
  }

  /** Adds a line that stays. */
  print(line: string): void {
    this.#stream.write(`${this.#erasing()}${line}\n`);
  }

  /** Puts these lines where the last drawn ones were; nothing without a terminal. They must fit. */
  draw(lines: readonly string[]): void {
    if (!this.isLive) return;
    this.#stream.write(this.#erasing() + lines.map((line) => `${line}\n`).join(''));
    this.#drawn = lines.length;
  }

  #erasing(): string {
    const up = this.#drawn === 0 ? '' : `\u001b[${this.#drawn}A\u001b[J`;
    this.#drawn = 0;
    return up;
  }
}
