/** A worker whose wall clock jumps, while it runs and while it is down; libfaketime bends it, the monotonic one stays. */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { renameSync, writeFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { compiled } from './life.ts';
import { faketime } from './tools.ts';
import { randomOf } from './workload.ts';

/** The wall clock counts whole milliseconds, so that the distance of two readings is up to one off. */
const ROUNDING_MS = 1;

/** A timer looks at the clock at least every 30 s. */
export const RECHECK_MS = 30_000;
/** For the processes to start and to be told. */
export const SLACK_MS = 5_000;

interface Alarm {
  readonly delayMs: number;
  readonly wall: number;
  readonly monotonic: number;
  readonly life: number;
  rang: { times: number; wall: number; monotonic: number; life: number }[];
}

export class BentLife {
  readonly alarms = new Map<string, Alarm>();
  readonly wrong: string[] = [];
  /** In the order in which they rang. */
  readonly order: string[] = [];
  readonly #folder: string;
  #child: ChildProcess | undefined;
  #lives = 0;
  #waiting = new Map<string, () => void>();
  #delays = new Map<string, number>();

  /** @param folder an empty one. */
  constructor(folder: string) {
    this.#folder = folder;
    this.jump(0);
  }

  /** Puts the wall clock so far from the true time. */
  jump(seconds: number): void {
    const file = `${this.#folder}/clock`;
    writeFileSync(`${file}.new`, `${seconds < 0 ? '' : '+'}${seconds}\n`);
    // At no moment may the worker find half a file.
    renameSync(`${file}.new`, file);
  }

  async start(): Promise<void> {
    this.#lives += 1;
    const env = {
      ...process.env,
      STORE: `${this.#folder}/work.db`,
      LD_PRELOAD: faketime,
      FAKETIME_TIMESTAMP_FILE: `${this.#folder}/clock`,
      FAKETIME_NO_CACHE: '1',
      FAKETIME_DONT_FAKE_MONOTONIC: '1',
    };
    const child = spawn(process.execPath, [compiled('clock-worker')], { env, stdio: ['pipe', 'pipe', 'inherit'] });
    this.#child = child;
    const ready = this.#hear('ready');
    let rest = '';
    child.stdout.on('data', (chunk) => {
      const lines = `${rest}${String(chunk)}`.split('\n');
      rest = lines.pop() as string;
      for (const line of lines) this.#heard(line.split(' '));
    });
    await ready;
  }

  /** `kill -9`. */
  async kill(): Promise<void> {
    const child = this.#child;
    this.#child = undefined;
    if (child === undefined || child.exitCode !== null) return;
    child.kill('SIGKILL');
    await once(child, 'close');
  }

  async set(name: string, delayMs: number): Promise<void> {
    this.#delays.set(name, delayMs);
    const heard = this.#hear(`set ${name}`);
    this.#child?.stdin?.write(`${name} ${delayMs}\n`);
    await heard;
  }

  /** Waits until these have rung, or the time is up; then it is noted as wrong. */
  async expect(names: readonly string[], withinMs: number): Promise<void> {
    const over = AbortSignal.timeout(withinMs);
    const missing = () => names.filter((name) => this.alarms.get(name)?.rang.length === 0);
    while (missing().length > 0 && !over.aborted) await sleep(20);
    for (const name of missing()) this.wrong.push(`${name} did not ring within ${withinMs} ms`);
  }

  /** Waits, and notes as wrong what rings of these. */
  async expectSilence(names: readonly string[], ms: number): Promise<void> {
    await sleep(ms);
    for (const name of names) if (this.alarms.get(name)?.rang.length !== 0) this.wrong.push(`${name} rang`);
  }

  #hear(what: string): Promise<void> {
    return new Promise((resolve) => this.#waiting.set(what, resolve));
  }

  #heard([what, name = '', ...numbers]: string[]): void {
    const values = numbers.map(Number);
    if (what === 'set') {
      const [wall, monotonic] = values as [number, number];
      const delayMs = this.#delays.get(name) as number;
      const alarm = { delayMs, wall, monotonic, life: this.#lives, rang: [] };
      if (!this.alarms.has(name)) this.alarms.set(name, alarm);
    }
    if (what === 'rang') this.#rang(name, values as [number, number, number]);
    this.#waiting.get(what === 'set' ? `set ${name}` : (what as string))?.();
  }

  #rang(name: string, [times, wall, monotonic]: [number, number, number]): void {
    const alarm = this.alarms.get(name);
    if (alarm === undefined) return void this.wrong.push(`${name} rang before it was set`);
    // A new life tells again what had rung.
    if (alarm.rang.some((ring) => ring.times === times && ring.life < this.#lives)) return;
    alarm.rang.push({ times, wall, monotonic, life: this.#lives });
    this.order.push(name);
    if (times !== 1 || alarm.rang.length !== 1) this.wrong.push(`${name} rang ${times} times`);
    const isDue = wall >= alarm.wall + alarm.delayMs;
    // The monotonic clock begins with the life.
    const waited = monotonic - (alarm.life === this.#lives ? alarm.monotonic : 0);
    if (isDue || waited >= alarm.delayMs - ROUNDING_MS) return;
    const missing = Math.ceil(Math.min(alarm.wall + alarm.delayMs - wall, alarm.delayMs - waited));
    this.wrong.push(`${name} rang ${missing} ms early, of ${alarm.delayMs}`);
  }
}

/** How many alarms {@link jumpAgainAndAgain} sets. */
export const ALARMS = 40;
const DAY = 86_400;
const JUMPS = [-30 * DAY, -3_600, 0, 3_600, 30 * DAY];

/** A clock that jumps at random, with kills between. Gives what is wrong. */
export async function jumpAgainAndAgain(folder: string, seed: number): Promise<string[]> {
  const random = randomOf(seed);
  const life = new BentLife(folder);
  try {
    await life.start();
    for (let n = 1; n <= ALARMS; n++) {
      await life.set(`alarm${n}`, Math.floor(random() * 1_500));
      const dice = random();
      if (dice < 0.5) life.jump(JUMPS[Math.floor(random() * JUMPS.length)] as number);
      if (dice > 0.85) {
        await life.kill();
        await life.start();
      }
      await sleep(random() * 200);
    }
    // When the clock is ahead of where it ever was, everything is due.
    life.jump(31 * DAY);
    await life.expect([...life.alarms.keys()], RECHECK_MS + SLACK_MS);
  } finally {
    await life.kill();
  }
  return life.wrong;
}
