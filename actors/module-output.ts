/**
 * What functions of modules print. They share this process with the command line, so their `console.log` would land amid its
 * own result.
 *
 * M1. While it is diverted, only `print` reaches stdout.
 * M2. What an attempt prints, on stdout or stderr, goes to the log of that attempt, as a command's does. What cannot be told
 *     whose it is, or comes after its attempt, goes to stderr.
 *
 * Bytes that do not pass through `process.stdout`, such as those of a child process that inherits it, are not seen here.
 */
import { AsyncLocalStorage } from 'node:async_hooks';
import { Buffer } from 'node:buffer';
import { mkdirSync, rmSync } from 'node:fs';
import { dirname } from 'node:path';
import { messageOf } from '../errors.ts';
import type { ActionContext } from './action-context.ts';
import { OutputLog } from './output-writer.mjs';
import { generationOf } from './action-key.ts';
import { actionFolder, FIRST_GENERATION, generationFolder, outputFileOf } from './step-files.ts';

type Write = NodeJS.WriteStream['write'];
type Written = (error?: Error | null) => void;

/** Where attempts print, and how much of it is kept. */
export interface ModuleOutputSettings {
  /** The folder for the files of all actions. */
  readonly files: string;
  /** Bytes of output kept for each attempt. */
  readonly outputLimit: number;
}

export class ModuleOutput {
  readonly #settings: ModuleOutputSettings;
  readonly #logs = new AsyncLocalStorage<AttemptLog>();
  readonly #stdout: Write = process.stdout.write.bind(process.stdout);
  readonly #stderr: Write = process.stderr.write.bind(process.stderr);

  constructor(settings: ModuleOutputSettings) {
    this.#settings = settings;
  }

  /** Takes over the streams of this process. Gives the function that gives them back. */
  divert(): () => void {
    const { write: toStdout } = process.stdout;
    const { write: toStderr } = process.stderr;
    process.stdout.write = process.stderr.write = this.#write;
    return () => {
      process.stdout.write = toStdout;
      process.stderr.write = toStderr;
    };
  }

  /** Puts the command's own result on stdout. */
  print(text: string): void {
    this.#stdout(text);
  }

  /** Does an attempt's work; what it prints is kept for it. */
  async collect<T>({ id, key, attempt }: ActionContext, work: () => Promise<T>): Promise<T> {
    const { files, outputLimit } = this.#settings;
    const generation = generationOf({ id, key });
    const file = outputFileOf(generationFolder(actionFolder(files, id), generation), attempt);
    const log = new AttemptLog(file, outputLimit, (problem) => {
      this.#stderr(`what ${id} prints cannot be kept: ${problem}\n`);
    });
    // Its silence, too, is that of its generation.
    if (generation !== FIRST_GENERATION) log.claim();
    try {
      return await this.#logs.run(log, work);
    } finally {
      log.close();
    }
  }

  readonly #write: Write = (
    chunk: string | Uint8Array,
    encodingOrWritten?: BufferEncoding | Written,
    written?: Written,
  ): boolean => {
    const encoding = typeof encodingOrWritten === 'string' ? encodingOrWritten : undefined;
    const bytes = typeof chunk === 'string' ? Buffer.from(chunk, encoding) : chunk;
    const told = typeof encodingOrWritten === 'function' ? encodingOrWritten : written;
    const log = this.#logs.getStore();
    if (log === undefined || !log.isOpen) return this.#stderr(bytes, told);
    log.append(Buffer.from(bytes));
    if (told !== undefined) process.nextTick(told);
    return true;
  };
}

/** The log of one attempt: none until something is printed, and never a reason for the attempt to fail. */
class AttemptLog {
  readonly #file: string;
  readonly #limit: number;
  readonly #complain: (problem: string) => void;
  #log: OutputLog | undefined;
  #state: 'open' | 'broken' | 'closed' = 'open';

  /** Removes what an earlier life of the same attempt printed. */
  constructor(file: string, limit: number, complain: (problem: string) => void) {
    this.#file = file;
    this.#limit = limit;
    this.#complain = complain;
    this.#attempt(() => rmSync(dirname(file), { recursive: true, force: true }));
  }

  get isOpen(): boolean {
    return this.#state !== 'closed';
  }

  /** Says by its folder that the attempt was made. */
  claim(): void {
    this.#attempt(() => mkdirSync(dirname(this.#file), { recursive: true, mode: 0o700 }));
  }

  append(bytes: Buffer): void {
    if (this.#state === 'open') this.#attempt(() => this.#opened().append(bytes));
  }

  close(): void {
    this.#state = 'closed';
    this.#log?.close();
  }

  #opened(): OutputLog {
    if (this.#log !== undefined) return this.#log;
    mkdirSync(dirname(this.#file), { recursive: true, mode: 0o700 });
    return (this.#log = new OutputLog(this.#file, this.#limit));
  }

  #attempt(work: () => void): void {
    try {
      work();
    } catch (error) {
      this.#state = 'broken';
      this.#complain(messageOf(error));
    }
  }
}
