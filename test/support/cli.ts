/** The compiled command line, run as its users run it: as a process. Node 20 runs no TypeScript. */
import { spawn, type ChildProcess } from 'node:child_process';
import { join } from 'node:path';
import { bundle } from './bundle.ts';

export interface CliResult {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface CliOptions {
  readonly cwd: string;
  readonly env?: Readonly<Record<string, string>>;
}

/** A command line that was started. */
export interface CliProcess {
  readonly child: ChildProcess;
  readonly result: Promise<CliResult>;
  /** Resolves once stderr holds the text; rejects if the process ends before. */
  readonly says: (text: string) => Promise<void>;
}

export class Cli {
  readonly #script: string;

  private constructor(script: string) {
    this.#script = script;
  }

  /** A command line of its own, made of the sources as they are now. */
  static compile(): Cli {
    return new Cli(join(bundle(), 'bin', 'perdure.js'));
  }

  /** Runs a command line to its end. */
  run(args: readonly string[], options: CliOptions): Promise<CliResult> {
    return this.start(args, options).result;
  }

  start(args: readonly string[], { cwd, env }: CliOptions): CliProcess {
    const child = spawn(process.execPath, [this.#script, ...args], {
      cwd,
      env: { ...process.env, NODE_OPTIONS: '', NO_COLOR: '', ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    const out = { stdout: '', stderr: '' };
    const listeners = new Set<() => void>();
    child.stdout.setEncoding('utf8').on('data', (text: string) => (out.stdout += text));
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      out.stderr += text;
      for (const listener of listeners) listener();
    });
    const result = new Promise<CliResult>((settle, refuse) => {
      child.once('error', refuse);
      child.once('close', (code, signal) => settle({ code, signal, ...out }));
    });
    const says = (text: string) =>
      new Promise<void>((settle, refuse) => {
        const look = () => {
          if (!out.stderr.includes(text)) return;
          listeners.delete(look);
          settle();
        };
        listeners.add(look);
        look();
        void result.then(() => refuse(new Error(`expected "${text}" on stderr, got:\n${out.stderr}`)));
      });
    return { child, result, says };
  }
}
