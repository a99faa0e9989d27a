/**
 * The process between a plan step's shell command and the runtime that asked for it. It leads a session of its own and
 * shares no pipe with the owner, so the owner may die by SIGKILL: the command goes on and its end is still written down.
 *
 * It owns, in the one directory named by its argument: the output log (see `output-log.ts` for the layout), the status
 * and `wrapper.log`, which exists only if the wrapper itself failed. It reads `command.json` and knows nothing else.
 *
 * W1. `status.json` appears whole or not at all, and only after what the command wrote for its value is on disk.
 * W2. A status says `terminated` if a signal to end reached this process before the command's end did. `kill` of a group
 *     holds the kernel's task list, so on Linux a death that the signal caused is always noticed after the signal.
 * W3. The output on disk never exceeds `outputLimit`; a log that cannot be written never ends the command.
 */
import { spawn } from 'node:child_process';
import { appendFileSync, closeSync, fsyncSync, openSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { OutputLog } from './output-writer.mjs';

/** @typedef {{ readonly key: string, readonly attempt: number, readonly run: string, readonly outputLimit: number }} Order */

/** A process that outlives the shell may hold the pipe open; its output after this long is not the command's any more. */
const DRAIN_MS = 1_000;
const HELD = 'PERDURE_HELD_';
/** One pipe for both streams keeps their true order; the text of the command arrives as an argument, never as syntax. */
const SHELL = ['-c', 'exec /bin/sh -c -- "$1" 2>&1', 'sh'];

const directory = process.argv[2] ?? '';

/** @param {unknown} error */
function complain(error) {
  const text = error instanceof Error ? (error.stack ?? error.message) : String(error);
  try {
    appendFileSync(join(directory, 'wrapper.log'), `${text}\n`);
  } catch {
    // This process has no other voice: the full disk that it complains of cannot hold the complaint either.
  }
}

/**
 * The owner reads an exit without a status as "not recorded" and quotes the complaint.
 * @param {unknown} error
 */
function fail(error) {
  complain(error);
  process.exit(1);
}

/**
 * Takes every chunk; after the first failure to store one (a full disk) it complains and lets the rest go by.
 * @param {OutputLog} log
 */
function recorder(log) {
  let broken = false;
  return (/** @type {Buffer} */ chunk) => {
    if (broken) return;
    try {
      log.append(chunk);
    } catch (error) {
      broken = true;
      complain(error);
    }
  };
}

/** What Node itself would act on was held back from this process; the command gets it under its own name. */
function commandEnvironment() {
  const held = Object.entries(process.env).filter(([name]) => name.startsWith(HELD));
  const own = Object.entries(process.env).filter(([name]) => !name.startsWith(HELD));
  return Object.fromEntries([...own, ...held.map(([name, value]) => [name.slice(HELD.length), value])]);
}

/** @param {string} path */
function sync(path) {
  const fd = openSync(path, 'r');
  try {
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
}

/** @param {string} path */
function syncIfPresent(path) {
  try {
    sync(path);
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'ENOENT')) throw error;
  }
}

/** @param {object} status */
function record(status) {
  syncIfPresent(join(directory, 'value'));
  const path = join(directory, 'status.json');
  writeFileSync(`${path}.tmp`, JSON.stringify(status), { mode: 0o600, flush: true });
  renameSync(`${path}.tmp`, path);
  sync(directory);
}

function main() {
  /** @type {Order} */
  const { key, attempt, run, outputLimit } = JSON.parse(readFileSync(join(directory, 'command.json'), 'utf8'));
  let terminated = false;
  for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP']) {
    process.on(signal, () => {
      terminated = true;
    });
  }
  const keep = recorder(new OutputLog(join(directory, 'output.log'), outputLimit));
  const startedAt = Date.now();
  const clock = performance.now();
  const shell = spawn('/bin/sh', [...SHELL, run], { env: commandEnvironment(), stdio: ['ignore', 'pipe', 'ignore'] });
  shell.on('error', fail);
  shell.stdout.on('data', keep);
  shell.on('exit', (exitCode, signal) => {
    const durationMs = performance.now() - clock;
    const status = { key, attempt, exitCode, signal, startedAt, endedAt: Date.now(), durationMs, terminated };
    // Before the drain: once the command has ended, nothing that happens to its stragglers may cost the outcome.
    record(status);
    const leave = () => process.exit(0);
    shell.once('close', leave);
    setTimeout(leave, DRAIN_MS);
  });
}

process.on('uncaughtException', fail);
main();
