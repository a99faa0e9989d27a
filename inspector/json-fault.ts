/** Where a text stops being JSON, and what was expected there: browsers do not agree on how they say it. */

export interface JsonFault {
  readonly message: string;
  /** What would have gone on with it: this repeats nothing of the text. */
  readonly expected: string;
  /** From 1 on. */
  readonly line: number;
  readonly column: number;
}

/** The first fault of a text; undefined for JSON. */
export function jsonFault(text: string): JsonFault | undefined {
  if (text.trim() === '')
    return { message: 'This is empty: an input is JSON, such as null', expected: 'a value', line: 1, column: 1 };
  const reader = new Reader(text);
  const expected = reader.fault();
  if (expected === undefined) return undefined;
  const before = text.slice(0, reader.at).split('\n');
  const found = reader.at >= text.length ? 'the text ends' : `there is ${shownAt(text, reader.at)}`;
  return {
    message: `Expected ${expected}, but ${found}`,
    expected,
    line: before.length,
    column: (before.at(-1) as string).length + 1,
  };
}

function shownAt(text: string, at: number): string {
  const [word = ''] = /^(?:[\w$-]{1,12}|[^])/u.exec(text.slice(at)) ?? [];
  return word === '\n' ? 'a line break' : word === "'" ? "' (texts are in double quotes)" : word;
}

const SPACE = /[ \t\n\r]*/y;
const NUMBER = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?/y;
const WORD = /(?:true|false|null)/y;
/** Controls must be escaped, but for those that JSON overlooks. */
const STRING = /"(?:[^"\\\p{Cc}]|[\x7f-\x9f]|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*"/uy;
/** As much of a text as is one, to find where it is none any more. */
const STRING_START = /"(?:[^"\\\p{Cc}]|[\x7f-\x9f]|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*/uy;

class Reader {
  at = 0;
  readonly #text: string;
  /** What is open, the innermost last. */
  readonly #open: ('{' | '[')[] = [];

  constructor(text: string) {
    this.#text = text;
  }

  /** What was expected at `at`. A value begins, or one has ended; nothing recurses, however deep it is. */
  fault(): string | undefined {
    for (;;) {
      const wrong = this.#begin();
      if (wrong !== undefined) return wrong;
      // What has ended may end what it is in, too.
      for (;;) {
        this.#take(SPACE);
        const within = this.#open.at(-1);
        if (within === undefined) return this.at < this.#text.length ? 'nothing more' : undefined;
        if (this.#next(',')) {
          const key = within === '{' ? this.#key() : undefined;
          if (key !== undefined) return key;
          break;
        }
        if (!this.#next(within === '{' ? '}' : ']')) return within === '{' ? 'a comma or }' : 'a comma or ]';
        this.#open.pop();
      }
    }
  }

  /** Reads a value, or opens what has one in it and goes on to that. */
  #begin(): string | undefined {
    for (;;) {
      this.#take(SPACE);
      if (this.#next('{')) {
        this.#take(SPACE);
        if (this.#next('}')) return undefined;
        this.#open.push('{');
        const wrong = this.#key();
        if (wrong !== undefined) return wrong;
      } else if (this.#next('[')) {
        this.#take(SPACE);
        if (this.#next(']')) return undefined;
        this.#open.push('[');
      } else if (this.#text[this.at] === '"') return this.#string();
      else return this.#take(NUMBER) || this.#take(WORD) ? undefined : 'a value';
    }
  }

  #key(): string | undefined {
    this.#take(SPACE);
    if (this.#text[this.at] !== '"') return 'a name in double quotes';
    const wrong = this.#string();
    if (wrong !== undefined) return wrong;
    this.#take(SPACE);
    return this.#next(':') ? undefined : 'a colon';
  }

  #string(): string | undefined {
    if (this.#take(STRING)) return undefined;
    this.#take(STRING_START);
    return this.#text[this.at] === '\\' ? 'an escape such as \\n or \\\\' : 'the end of the text in double quotes';
  }

  #next(character: string): boolean {
    if (this.#text[this.at] !== character) return false;
    this.at += 1;
    return true;
  }

  #take(pattern: RegExp): boolean {
    pattern.lastIndex = this.at;
    const [found] = pattern.exec(this.#text) ?? [];
    if (found === undefined) return false;
    this.at += found.length;
    return found !== '';
  }
}
