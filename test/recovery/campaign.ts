/**
 * The fault suites for a night: rounds of all of them, each with seeds of its own, until enough kills were done or the time
 * is up. `npm run campaign -- --help` says how.
 */
import { spawn } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { flipBits } from './bit-flip.ts';
import { ALARMS, jumpAgainAndAgain } from './clock-jump.ts';
import { callFaults, fileSizeLimit, heldLock, suffer, type Fault } from './disk-fault.ts';
import { judge } from './judge.ts';
import { killAtRandom } from './kills.ts';
import { finalOf, live } from './life.ts';
import { LOST, recordAndCut } from './power-cut.ts';
import { stealFrom, stopAndSteal, type Attempt } from './stale-owner.ts';
import { canLimit, canTrace, faketime } from './tools.ts';
import { randomOf, type Workload } from './workload.ts';

const HELP = `The fault suites, for as long as you like.

  npm run campaign -- [--kills 10000] [--minutes 480] [--seed 1]

  --kills N     end after so many random kills (default 10000)
  --minutes M   end after so long, whatever was done (default: no limit)
  --seed S      the seed of the first round; the next one's is 1000 more (default: from the clock)
  --help        this text

Progress goes to stderr, the summary to stdout. Ctrl-C prints the summary so far. The exit code is 1 if anything
promised was not kept, 2 for a wrong option, 130 after Ctrl-C, else 0. Without strace, prlimit or libfaketime what
needs them is left out, and the summary says so.
`;

const KILLS_A_ROUND = 50;
const FLIPS_A_ROUND = 200;
const IMAGES_A_ROUND = 100;
const TRIALS_A_ROUND = 50;
const SEEDS_A_ROUND = 1_000;

/** A row of the summary. */
interface Figure {
  readonly name: string;
  readonly bar: string;
  done: number;
  wrong: number;
  note: string;
}

interface Section {
  readonly figure: Figure;
  /** Does its share of a round: how much was done, and what is wrong. */
  run(seed: number, folder: string): Promise<{ done: number; wrong: readonly string[] }>;
  readonly missing?: string | false;
}

function figure(name: string, bar: string): Figure {
  return { name, bar, done: 0, wrong: 0, note: '' };
}

const workload: Workload = { seed: 23, clients: 3, events: 60 };
let calm: Promise<unknown> | undefined;

/** The end of a worker that nothing happened to. */
function calmEnd(parent: string): Promise<unknown> {
  return (calm ??= (async () => {
    const folder = sub(parent, 'calm');
    await live({ folder, workload });
    return finalOf(folder);
  })());
}

function sub(parent: string, name: string): string {
  const folder = `${parent}/${name}`;
  mkdirSync(folder);
  return folder;
}

const kills: Section = {
  figure: figure('random kill -9 under load', '10,000 kills, 0 wrong'),
  run: async (seed, folder) => {
    const report = await killAtRandom({
      folder: sub(folder, 'killed'),
      calmFolder: sub(folder, 'not-killed'),
      seed,
      kills: KILLS_A_ROUND,
    });
    return { done: report.kills, wrong: report.wrong };
  },
};

const points: Section = {
  figure: figure('kill at commits, writes, syncs', 'old or new, always'),
  missing: !canTrace && 'strace',
  run: async (seed, folder) => {
    const random = randomOf(seed);
    const wrong: string[] = [];
    const calls = ['pwrite64', 'fsync,fdatasync', 'ftruncate', 'unlink,unlinkat'];
    const expected = await calmEnd(folder);
    for (const [index, call] of calls.entries()) {
      const when = 1 + Math.floor(random() * (index === 0 ? 400 : index === 1 ? 60 : 4));
      const inject = `inject=${call}:signal=SIGKILL:when=${when}`;
      const notes = sub(folder, `point${index}`);
      const under = ['strace', '-f', '-qq', '-o', '/dev/null', '-e', `trace=${call}`, '-e', inject];
      await live({ folder: notes, workload, under });
      wrong.push(...judge(notes, workload).wrong);
      await live({ folder: notes, workload, killAtCommit: 1 + Math.floor(random() * 40) });
      await live({ folder: notes, workload });
      wrong.push(...judge(notes, workload).wrong);
      if (JSON.stringify(finalOf(notes)) !== JSON.stringify(expected)) wrong.push(`${inject}: another end`);
    }
    return { done: 2 * calls.length, wrong };
  },
};

let slowestRecoveryMs = 0;
const disks: Section = {
  figure: figure('EIO, ENOSPC, read-only, size limit', '0 wrong, back in 1 s'),
  missing: !canTrace && 'strace',
  run: async (seed, folder) => {
    const random = randomOf(seed);
    const faults: Fault[] = [...callFaults, heldLock, ...(canLimit ? [fileSizeLimit] : [])];
    const fault = faults[Math.floor(random() * faults.length)] as Fault;
    const notes = sub(folder, 'disk');
    const { wrong, recoveredMs } = await suffer({
      fault,
      workload,
      folder: notes,
      store: `${notes}/work.db`,
      calm: await calmEnd(folder),
      afterMs: random() * 150,
      lastsMs: fault === heldLock ? 7_500 : 300 + random() * 1_000,
      kill: random() < 0.2,
    });
    slowestRecoveryMs = Math.max(slowestRecoveryMs, recoveredMs ?? 0);
    disks.figure.note = `slowest recovery ${slowestRecoveryMs} ms`;
    const slow = (recoveredMs ?? 0) > 1_000 ? [`recovered after ${recoveredMs} ms`] : [];
    return { done: 1, wrong: [...wrong, ...slow].map((problem) => `${fault.name}: ${problem}`) };
  },
};

const flips: Section = {
  figure: figure('flipped bits', '0 restored in silence'),
  run: async (seed, folder) => {
    const stored = sub(folder, 'flipped');
    await live({ folder: stored, workload, killAtCommit: 40 });
    await live({ folder: stored, workload, killAtCommit: 25 });
    const options = { store: `${stored}/work.db`, seed, flips: FLIPS_A_ROUND };
    const report = await flipBits({ ...options, folder: sub(folder, 'copies'), among: 'all' });
    return { done: FLIPS_A_ROUND, wrong: report.wrong };
  },
};

const clocks: Section = {
  figure: figure('clock jumps of an hour and 30 days', '0 lost, 0 double, 0 early'),
  missing: faketime === undefined && 'libfaketime',
  run: async (seed, folder) => ({ done: ALARMS, wrong: await jumpAgainAndAgain(sub(folder, 'clock'), seed) }),
};

const owners: Section = {
  figure: figure('stale owner', '0 commits in 1,000 trials'),
  run: async (seed, folder) => {
    const attempts: readonly Attempt[] = ['send', 'many sends', 'timer', 'effect', 'close'];
    const wrong: string[] = [];
    for (let trial = 0; trial < TRIALS_A_ROUND; trial++) {
      const store = `${sub(folder, `stale${trial}`)}/work.db`;
      wrong.push(...(await stealFrom(store, attempts[trial % attempts.length] as Attempt, seed + trial)));
    }
    const random = randomOf(seed);
    const trial = { stopAfterMs: random() * 120, goOnAfterMs: random() * 100, calm: await calmEnd(folder) };
    wrong.push(...(await stopAndSteal({ ...trial, folder: sub(folder, 'stopped'), workload })));
    return { done: TRIALS_A_ROUND + 1, wrong };
  },
};

const powerCuts: Section = {
  figure: figure('power cuts', '0 acknowledged lost'),
  missing: !canTrace && 'strace',
  run: async (seed, folder) => {
    const random = randomOf(seed);
    const failing = ['-e', `inject=fsync,fdatasync:error=EIO:when=${8 + Math.floor(random() * 20)}`];
    const cut = { images: IMAGES_A_ROUND, seed, faults: random() < 0.3 ? failing : [] };
    const folders = { folder: sub(folder, 'power'), imagesFolder: sub(folder, 'images') };
    const { wrong } = await recordAndCut({ ...cut, ...folders, durability: 'power-loss' });
    return { done: IMAGES_A_ROUND, wrong };
  },
};

const losses: Section = {
  figure: figure('power cuts in "process-crash"', 'lose turns, nothing else'),
  missing: !canTrace && 'strace',
  run: async (seed, folder) => {
    const folders = { folder: sub(folder, 'weak'), imagesFolder: sub(folder, 'weak-images') };
    const { wrong } = await recordAndCut({ ...folders, images: IMAGES_A_ROUND, seed, durability: 'process-crash' });
    losses.figure.note = `${wrong.filter((problem) => LOST.test(problem)).length} images of the last round had lost some`;
    return { done: IMAGES_A_ROUND, wrong: wrong.filter((problem) => !LOST.test(problem)) };
  },
};

/** Suites that run as they are. */
function suite(name: string, bar: string, file: string, env: Record<string, string> = {}): Section {
  return {
    figure: figure(name, bar),
    run: async () => {
      const args = ['vitest', 'run', '--project', 'unit', file];
      const child = spawn('npx', args, { env: { ...process.env, ...env }, stdio: ['ignore', 'pipe', 'pipe'] });
      let output = '';
      for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk) => (output += String(chunk)));
      const code = await new Promise((resolve) => child.on('close', resolve));
      return { done: 1, wrong: code === 0 ? [] : [output] };
    },
  };
}

const sections = [points, disks, flips, clocks, owners, powerCuts, losses];
const suites = [
  suite('property runs', '1,000 runs of 50 commands', 'test/properties/model.test.ts', { PERDURE_RUNS: '1000' }),
  suite('8-hour simulated soak with faults', '0 wrong, heap flat', 'test/properties/soak.test.ts'),
];
/** What no fault can show. */
const coverage = { ...figure('core coverage', '95 % lines, 90 % branches'), note: 'not measured here' };

function options(): { kills: number; minutes: number; seed: number } {
  const { values } = parseArgs({
    options: {
      kills: { type: 'string', default: '10000' },
      minutes: { type: 'string', default: 'Infinity' },
      seed: { type: 'string', default: String(Date.now() % 1_000_000) },
      help: { type: 'boolean', default: false },
    },
  });
  if (values.help) {
    process.stdout.write(HELP);
    process.exit(0);
  }
  const numbers = { kills: Number(values.kills), minutes: Number(values.minutes), seed: Number(values.seed) };
  const bad = Object.entries(numbers).find(([, value]) => !(value >= 0));
  if (bad !== undefined) throw new Error(`--${bad[0]} takes a number.`);
  return numbers;
}

const began = performance.now();
const all = [kills, ...sections, ...suites];
const base = mkdtempSync(join(existsSync('/var/tmp') ? '/var/tmp' : tmpdir(), 'perdure-campaign-'));
process.on('exit', () => rmSync(base, { recursive: true, force: true }));

function minutes(): number {
  return (performance.now() - began) / 60_000;
}

async function perform({ figure: row, run, missing }: Section, seed: number, folder: string): Promise<void> {
  if (typeof missing === 'string') {
    row.note = `left out: ${missing} is missing`;
    return;
  }
  try {
    const { done, wrong } = await run(seed, folder);
    row.done += done;
    row.wrong += wrong.length;
    for (const problem of wrong) process.stderr.write(`WRONG, ${row.name}, seed ${seed}: ${problem}\n`);
  } catch (error) {
    row.wrong += 1;
    process.stderr.write(`WRONG, ${row.name}, seed ${seed}: ${error instanceof Error ? error.stack : String(error)}\n`);
  }
}

function summary(seed: number): string {
  const rows = [...all.map((section) => section.figure), coverage].map(({ name, bar, done, wrong, note }) => [
    name,
    String(done),
    String(wrong),
    bar,
    note,
  ]);
  const table = [['figure', 'done', 'wrong', 'bar', ''], ...rows];
  const widths = table[0]?.map((_, column) => Math.max(...table.map((row) => row[column]?.length ?? 0))) ?? [];
  const lines = table.map((row) =>
    row
      .map((cell, column) => cell.padEnd(widths[column] ?? 0))
      .join('  ')
      .trimEnd(),
  );
  return `\n${lines.join('\n')}\n\nseed ${seed}, ${minutes().toFixed(1)} minutes\n`;
}

function finish(seed: number, code: number): never {
  process.stdout.write(summary(seed));
  process.exit(all.some((section) => section.figure.wrong > 0) ? 1 : code);
}

async function round(number: number, seed: number): Promise<void> {
  const folder = sub(base, `round${number}`);
  const beside = async () => {
    for (const section of sections) await perform(section, seed, folder);
  };
  await Promise.all([perform(kills, seed, folder), beside()]);
  calm = undefined;
  rmSync(folder, { recursive: true });
}

async function campaign(wanted: ReturnType<typeof options>): Promise<never> {
  process.on('SIGINT', () => finish(wanted.seed, 130));
  process.stderr.write(`seed ${wanted.seed}\n`);
  for (const section of suites) await perform(section, wanted.seed, base);
  for (let number = 1; kills.figure.done < wanted.kills && minutes() < wanted.minutes; number++) {
    const before = kills.figure.done;
    await round(number, wanted.seed + (number - 1) * SEEDS_A_ROUND);
    const wrong = all.reduce((sum, section) => sum + section.figure.wrong, 0);
    const progress = `${kills.figure.done}/${wanted.kills} kills, ${wrong} wrong, ${minutes().toFixed(1)} min`;
    process.stderr.write(`round ${number}: ${progress}\n`);
    if (kills.figure.done === before) break;
  }
  return finish(wanted.seed, 0);
}

try {
  await campaign(options());
} catch (error) {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n${HELP}`);
  process.exit(2);
}
