/**
 * Runs the shell command of a plan step so that its outcome survives the death of the runtime. It owns the directory of one
 * attempt and the process that performs it; it decides nothing about retries, and who has consumed an outcome is the
 * caller's to know.
 *
 *   runCommand ─ adopt ─────────────────────────────▶ adopted result
 *       └─ endLeftovers ─ adopt ─────────────────────▶ adopted result
 *             └─ prepare ─ spawn wrapper ─ exit ─ read status ─▶ result
 *                               └─ abort ─ endProcesses ─▶ signal.reason
 *
 * C1. A command that ended by itself, with an exit code, is never run again for the same key and attempt.
 * C2. The status of one attempt never answers for another, nor one that a signal to end came before. That of an earlier
 *     generation of the tree has another key.
 * C3. No two processes of one action run at a time: what an earlier life left is gone before the command starts, also of an
 *     earlier generation.
 * C4. The text of the command is an argument of `sh -c`; nothing is ever put into it. Data comes by files and environment.
 * C5. The wrapper holds no pipe to this process, so this process may vanish at any moment.
 */
import { type Buffer, isUtf8 } from 'node:buffer';
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { isPerdureError, messageOf, PerdureError } from '../errors.ts';
import { DEFAULT_GRACE_MS, endLeftovers, endProcesses, type EarlierMarks } from './leftovers.ts';

export { endLeftovers } from './leftovers.ts';
export { readOutput } from './output-log.ts';

const WRAPPER = fileURLToPath(new URL('./command-wrapper.mjs', import.meta.url));
export const DEFAULT_OUTPUT_LIMIT = 1_048_576;

/** Meant for the command, but Node would let them change the wrapper; it hands them on under their own names. */
const HELD_BACK = ['NODE_OPTIONS', 'NODE_V8_COVERAGE'];

/** One attempt at one action. */
export interface CommandSpec {
  /** The same for all attempts at the action and over process lives; the command finds it in `PERDURE_ACTION`. */
  readonly key: string;
  /** How to know what earlier generations left running of the action. Default: there are none. */
  readonly earlier?: EarlierMarks;
  /** Where an earlier version of this program may have left the outcome. Default: nowhere. */
  readonly former?: FormerPlace;
  /** Shell text, run by `sh -c` as it stands. */
  readonly run: string;
  readonly cwd?: string;
  readonly env?: Readonly<Record<string, string>>;
  /** 1, 2, ... */
  readonly attempt: number;
  /** Where the files of this action live, one folder an attempt. */
  readonly directory: string;
  /** Written as JSON to the file `$PERDURE_INPUT`. */
  readonly input: unknown;
  /** Bytes of output kept for the attempt, half of them from its start and half from its end. Default: 1 MiB. */
  readonly outputLimit?: number;
  /** From SIGTERM to SIGKILL. Default: 5,000. */
  readonly graceMs?: number;
  readonly signal: AbortSignal;
}

/** The key and the folder that an action had in an earlier version, which knew of no generations. */
export interface FormerPlace {
  readonly key: string;
  readonly directory: string;
  /** What began before it is another generation's. Wall-clock ms. */
  readonly since: number;
}

/** How an attempt ended. */
export interface CommandResult {
  readonly exitCode: number | null;
  readonly signal: string | null;
  /** What the command wrote to the file `$PERDURE_OUTPUT`: its JSON, or else its text; undefined if it wrote nothing. */
  readonly value: unknown;
  /** What the command printed: give it to {@link readOutput}. */
  readonly outputFile: string;
  /** Whether the command ended in an earlier life of this process and was not run now. */
  readonly adopted: boolean;
  readonly durationMs: number;
}

/** The files of one attempt. */
interface AttemptFiles {
  readonly directory: string;
  readonly input: string;
  readonly value: string;
  readonly output: string;
  readonly status: string;
  readonly order: string;
  readonly complaint: string;
}

/** What the wrapper wrote when the command had ended. */
interface Status {
  readonly exitCode: number | null;
  readonly signal: string | null;
  readonly durationMs: number;
  readonly terminated: boolean;
  /** Wall-clock ms, as is its end. */
  readonly startedAt: number;
  readonly endedAt: number;
}

/** How the wrapper is started: plain JSON, so that a test can start it from another process. */
export interface Launch {
  readonly arguments: readonly string[];
  readonly options: {
    readonly cwd: string;
    readonly env: Readonly<Record<string, string | undefined>>;
    readonly detached: true;
    readonly stdio: 'ignore';
  };
}

/**
 * Runs one attempt of a command, or adopts the outcome that an earlier life of this process did not live to see.
 * Resolves for any exit status. On abort it ends the command with all its processes and then rejects with the reason.
 */
export async function runCommand(spec: CommandSpec): Promise<CommandResult> {
  spec.signal.throwIfAborted();
  const settled = adopt(spec);
  if (settled !== undefined) return settled;
  // In true time, which the wrapper wrote, too.
  const ending = Date.now();
  if ((await endLeftovers(spec, spec.graceMs)) > 0) {
    const late = adopt(spec, ending);
    if (late !== undefined) return late;
  }
  spec.signal.throwIfAborted();
  return perform(spec, filesOf(spec), prepare(spec));
}

/** Lays out a fresh directory for the attempt and says how to start its wrapper. */
export function prepare(spec: CommandSpec): Launch {
  const cwd = resolve(spec.cwd ?? '.');
  const files = filesOf(spec);
  try {
    requireDirectory(cwd);
    rmSync(files.directory, { recursive: true, force: true });
    mkdirSync(files.directory, { recursive: true, mode: 0o700 });
    writeJson(files.input, spec.input);
    const { key, attempt, run, outputLimit = DEFAULT_OUTPUT_LIMIT } = spec;
    writeJson(files.order, { key, attempt, run, outputLimit });
  } catch (error) {
    throw unstartable(spec, error);
  }
  const options = { cwd, env: environmentOf(spec, files), detached: true, stdio: 'ignore' } as const;
  return { arguments: [WRAPPER, files.directory], options };
}

function filesOf(spec: Pick<CommandSpec, 'directory' | 'attempt'>): AttemptFiles {
  const directory = resolve(spec.directory, `attempt-${spec.attempt}`);
  return {
    directory,
    input: join(directory, 'input.json'),
    value: join(directory, 'value'),
    output: join(directory, 'output.log'),
    status: join(directory, 'status.json'),
    order: join(directory, 'command.json'),
    complaint: join(directory, 'wrapper.log'),
  };
}

function requireDirectory(cwd: string): void {
  if (statSync(cwd, { throwIfNoEntry: false })?.isDirectory() === true) return;
  throw new PerdureError(
    'COMMAND_FAILED',
    `the command's working directory ${JSON.stringify(cwd)} is not a directory`,
    {
      facts: { cwd },
    },
  );
}

function writeJson(path: string, value: unknown): void {
  writeFileSync(path, JSON.stringify(value) ?? 'null', { mode: 0o600 });
}

function environmentOf(spec: CommandSpec, files: AttemptFiles): Record<string, string | undefined> {
  const env: Record<string, string | undefined> = {
    ...process.env,
    ...spec.env,
    PERDURE_ACTION: spec.key,
    PERDURE_ATTEMPT: String(spec.attempt),
    PERDURE_INPUT: files.input,
    PERDURE_OUTPUT: files.value,
  };
  for (const name of HELD_BACK) {
    if (env[name] === undefined) continue;
    env[`PERDURE_HELD_${name}`] = env[name];
    delete env[name];
  }
  return env;
}

async function perform(spec: CommandSpec, files: AttemptFiles, launch: Launch): Promise<CommandResult> {
  const clock = performance.now();
  const wrapper = start(spec, launch);
  const ending = endOnAbort(spec, wrapper);
  try {
    const died = await Promise.race([exitOf(spec, wrapper), ending.done]);
    // An abort that came while the wrapper was leaving still waits for the rest of the group.
    if (spec.signal.aborted) await ending.done;
    const status = readStatus(spec, files) ?? (await statusOfTheLost(spec, files, wrapper, died));
    if (spec.signal.aborted) await ending.done;
    return resultOf(files, { durationMs: performance.now() - clock, ...status }, false);
  } finally {
    ending.forget();
  }
}

function start(spec: CommandSpec, { arguments: args, options }: Launch): ChildProcess {
  try {
    return spawn(process.execPath, args, options);
  } catch (error) {
    throw unstartable(spec, error);
  }
}

/** Resolves with the signal that ended the wrapper, if one did. */
function exitOf(spec: CommandSpec, wrapper: ChildProcess): Promise<string | null> {
  return new Promise((settle, refuse) => {
    wrapper.once('error', (error) => refuse(unstartable(spec, error)));
    wrapper.once('exit', (_, signal) => settle(signal));
  });
}

/** `done` rejects with the reason of the abort, after every process of the command is gone; without one it never settles. */
function endOnAbort(spec: CommandSpec, wrapper: ChildProcess): { done: Promise<never>; forget(): void } {
  const { key, signal, graceMs = DEFAULT_GRACE_MS } = spec;
  let end = (): void => {};
  const done = new Promise<never>((_, refuse) => {
    end = () => {
      // Only its own: after a restore the next generation may have begun.
      endProcesses({ key }, groupOf(wrapper), graceMs).then(() => refuse(signal.reason), refuse);
    };
  });
  signal.addEventListener('abort', end, { once: true });
  return { done, forget: () => signal.removeEventListener('abort', end) };
}

function groupOf(wrapper: ChildProcess): number[] {
  return wrapper.pid === undefined ? [] : [wrapper.pid];
}

/** The wrapper went without a status: killed by a signal, which then is the outcome, or unable to do its work. */
async function statusOfTheLost(
  spec: CommandSpec,
  files: AttemptFiles,
  wrapper: ChildProcess,
  signal: string | null,
): Promise<Pick<Status, 'exitCode' | 'signal'>> {
  await endProcesses({ key: spec.key }, groupOf(wrapper), spec.graceMs ?? DEFAULT_GRACE_MS);
  if (signal !== null) return { exitCode: null, signal };
  const complaint = readText(files.complaint)?.trim() ?? 'it left no explanation';
  throw unstartable(spec, new Error(`the wrapper did not record an outcome: ${complaint}`));
}

/** What the command came to by itself, before it was told to end: it may answer that with any status, faster than its wrapper. */
function adopt(spec: CommandSpec, before = Infinity): CommandResult | undefined {
  const { attempt, former } = spec;
  const own = adoptFrom({ ...spec, since: -Infinity }, before);
  return own ?? (former && adoptFrom({ attempt, ...former }, before));
}

function adoptFrom(place: FormerPlace & Pick<CommandSpec, 'attempt'>, before: number): CommandResult | undefined {
  const files = filesOf(place);
  const status = readStatus(place, files);
  if (status === undefined || status.terminated || status.exitCode === null) return undefined;
  if (status.startedAt < place.since || status.endedAt >= before) return undefined;
  return resultOf(files, status, true);
}

type Ending = Pick<Status, 'exitCode' | 'signal' | 'durationMs'>;

function resultOf(files: AttemptFiles, status: Ending, adopted: boolean): CommandResult {
  const { exitCode, signal, durationMs } = status;
  const value = readValue(files.value, exitCode === 0);
  return { exitCode, signal, value, outputFile: files.output, adopted, durationMs };
}

/** The status of exactly this attempt at this action; undefined if there is none, a torn one, or another's (C2). */
function readStatus(spec: Pick<CommandSpec, 'key' | 'attempt'>, files: AttemptFiles): Status | undefined {
  const status = parsed(readText(files.status));
  if (typeof status !== 'object' || status === null) return undefined;
  const { key, attempt, exitCode, signal, durationMs, terminated, startedAt, endedAt } = status as Record<
    string,
    unknown
  >;
  if (key !== spec.key || attempt !== spec.attempt) return undefined;
  if (typeof exitCode !== 'number' && exitCode !== null) return undefined;
  if (typeof signal !== 'string' && signal !== null) return undefined;
  if (typeof durationMs !== 'number' || typeof terminated !== 'boolean') return undefined;
  if (typeof startedAt !== 'number' || typeof endedAt !== 'number') return undefined;
  return { exitCode, signal, durationMs, terminated, startedAt, endedAt };
}

/** What the command wrote for its value. Throws COMMAND_FAILED for what is not text, unless it failed anyway. */
function readValue(path: string, succeeded: boolean): unknown {
  const bytes = readBytes(path);
  if (bytes !== undefined && !isUtf8(bytes)) {
    if (!succeeded) return undefined;
    throw new PerdureError(
      'COMMAND_FAILED',
      `expected JSON or other text in UTF-8 in $PERDURE_OUTPUT, got bytes that are not: see ${path}; hand on the name of a file instead`,
      { facts: { file: path } },
    );
  }
  const text = bytes?.toString('utf8');
  if (text === undefined || text === '') return undefined;
  const value = parsed(text);
  return value === undefined ? text : value;
}

/** The value of a JSON text; undefined, which JSON cannot say, for any other text. */
function parsed(text: string | undefined): unknown {
  if (text === undefined) return undefined;
  try {
    return JSON.parse(text);
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}

function readText(path: string): string | undefined {
  return readBytes(path)?.toString('utf8');
}

function readBytes(path: string): Buffer | undefined {
  try {
    return readFileSync(path);
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined;
    throw error;
  }
}

function unstartable(spec: CommandSpec, cause: unknown): PerdureError {
  if (isPerdureError(cause)) return cause;
  const { key, attempt } = spec;
  const message = `expected to run attempt ${attempt} of action ${JSON.stringify(key)}, but: ${messageOf(cause)}`;
  return new PerdureError('COMMAND_FAILED', message, { cause, facts: { key, attempt } });
}
