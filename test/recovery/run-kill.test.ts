/**
 * `perdure run`, killed with SIGKILL: at random moments, and at every commit of a fixed plan. Started again until it
 * finishes, it must end as a run that never died, and never run a step again whose outcome was committed.
 */
import { randomInt } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { beforeAll, expect, test } from 'vitest';
import { isSuccess } from '../../machines/outcome.ts';
import { Cli, type CliResult } from '../support/cli.ts';
import { KillPlan, type KillStep } from '../support/kill-plan.ts';
import { tempFolder } from '../support/temp.ts';

const RUN = 'killed:1';
const KILLS = 50;
/** A run that was killed this often is let go to its end. */
const KILLS_A_RUN = 13;
const KILL_AT_COMMIT = fileURLToPath(new URL('./kill-at-commit.mjs', import.meta.url));

const TWELVE: readonly KillStep[] = [
  { id: 'fetch', seconds: 0.1 },
  { id: 'check', seconds: 0.05 },
  { id: 'parse', after: ['fetch'], seconds: 0.15 },
  { id: 'index', after: ['fetch', 'check'], seconds: 0.1, failures: 1 },
  { id: 'left', after: ['parse'], seconds: 0.2 },
  { id: 'right', after: ['parse'], seconds: 0.05 },
  { id: 'middle', after: ['parse', 'index'], seconds: 0.1 },
  { id: 'join', after: ['left', 'right', 'middle'], seconds: 0.05 },
  { id: 'alone', seconds: 0.3 },
  { id: 'flaky', after: ['join'], seconds: 0.05, failures: 2 },
  { id: 'pack', after: ['join', 'alone'], seconds: 0.1 },
  { id: 'ship', after: ['pack', 'flaky'], seconds: 0.05 },
];

const FIVE: readonly KillStep[] = [
  { id: 'one', seconds: 0.02 },
  { id: 'two', seconds: 0.1, failures: 1 },
  { id: 'three', after: ['one'], seconds: 0.02 },
  { id: 'four', after: ['two', 'three'], seconds: 0.02 },
  { id: 'five', after: ['four'], seconds: 0.02, failures: 1 },
];

let cli: Cli;
beforeAll(() => {
  cli = Cli.compile();
});

/** What was seen to be committed, and how often each such step had been started by then. */
class Witness {
  readonly #plan: KillPlan;
  readonly #started = new Map<string, number>();

  constructor(plan: KillPlan) {
    this.#plan = plan;
  }

  look(): void {
    const starts = this.#plan.starts;
    for (const { id, kind } of this.#plan.report(RUN)) {
      if (kind !== undefined && !this.#started.has(id)) this.#started.set(id, starts.get(id) ?? 0);
    }
  }

  /** No step was started after its outcome had been seen. */
  verify(): void {
    const starts = this.#plan.starts;
    expect(Object.fromEntries([...this.#started.keys()].map((id) => [id, starts.get(id)]))).toEqual(
      Object.fromEntries(this.#started),
    );
  }
}

function start(plan: KillPlan, env: Record<string, string> = {}) {
  return cli.start(['run', 'plan.json', '--concurrency', '3', '--grace', '500ms'], {
    cwd: plan.folder,
    env: { KILL_PLAN: plan.folder, ...env },
  });
}

async function undisturbed(steps: readonly KillStep[]): Promise<Record<string, unknown>> {
  const plan = new KillPlan(tempFolder(), steps);
  expect(await start(plan).result).toMatchObject({ code: 0 });
  return plan.outcome(RUN);
}

/** Whatever happened before: the run has ended well, and as it should. */
function expectWhole(plan: KillPlan, last: CliResult, expected: Record<string, unknown>): void {
  if (last.signal === null) expect(last, last.stderr).toMatchObject({ code: 0 });
  expect(plan.outcome(RUN)).toEqual(expected);
  expect(plan.report(RUN).every(({ kind }) => kind !== undefined && isSuccess(kind))).toBe(true);
  expect([...plan.starts.keys()].toSorted()).toEqual(plan.steps.map(({ id }) => id).toSorted());
  expectOrder(plan);
  expect(plan.leftovers).toEqual([]);
}

/** Whether the run's end reached whoever waits for it; then a further start means a new run. */
function isTold({ stdout }: CliResult): boolean {
  return stdout.includes(`${RUN} went well`);
}

/** No step began before all that it comes after had ended. */
function expectOrder({ log, steps }: KillPlan): void {
  for (const { id, after = [] } of steps) {
    const began = log.findIndex(({ what, step }) => what === 'begin' && step === id);
    const ended = new Set(log.slice(0, began).flatMap(({ what, step }) => (what === 'end' ? [step] : [])));
    expect(after.filter((step) => !ended.has(step))).toEqual([]);
  }
}

/** As when a container dies: the commands and their wrappers go too, and record nothing. */
function killSteps(plan: KillPlan): void {
  for (const pid of plan.leftovers) {
    try {
      process.kill(Number(pid), 'SIGKILL');
    } catch (error) {
      expect(error).toMatchObject({ code: 'ESRCH' });
    }
  }
}

/** The same moments for the same seed, as far as processes allow. */
function randomOf(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state * 1_664_525 + 1_013_904_223) % 2 ** 32;
    return state / 2 ** 32;
  };
}

test('a plan killed at random moments ends as if it had never died, and repeats no committed step', async () => {
  const seed = Number(process.env['PERDURE_SEED'] ?? randomInt(2 ** 31));
  console.log(`PERDURE_SEED=${seed}`);
  const random = randomOf(seed);
  const expected = await undisturbed(TWELVE);
  let kills = 0;
  for (let runs = 1; kills < KILLS; runs++) {
    const plan = new KillPlan(tempFolder(), TWELVE);
    const witness = new Witness(plan);
    let last: CliResult | undefined;
    for (let killed = 0; last === undefined || !isTold(last); killed++) {
      const { child, result } = start(plan);
      if (killed < KILLS_A_RUN) {
        await Promise.race([sleep(80 + random() * 700), result]);
        child.kill('SIGKILL');
        if (random() < 0.3) killSteps(plan);
      }
      last = await result;
      if (last.signal === null) expect(last, last.stderr).toMatchObject({ code: 0 });
      if (last.signal === 'SIGKILL') kills += 1;
      witness.look();
    }
    witness.verify();
    expectWhole(plan, last, expected);
    expect(runs, 'the plan ends before it can be killed').toBeLessThan(KILLS);
  }
  console.log(`${kills} kills`);
});

test.each(['before', 'after'])(
  'a plan killed %s each of its commits ends as if it had never died, and repeats no committed step',
  async (side) => {
    const expected = await undisturbed(FIVE);
    let commits = 0;
    for (let isOver = false; !isOver;) {
      const plan = new KillPlan(tempFolder(), FIVE);
      const witness = new Witness(plan);
      const env = { NODE_OPTIONS: `--import=${KILL_AT_COMMIT}`, KILL_AT: `${side}:${commits + 1}` };
      const first = await start(plan, env).result;
      witness.look();
      isOver = isTold(first);
      const last = isOver ? first : await start(plan).result;
      witness.verify();
      expectWhole(plan, last, expected);
      if (!isOver) commits += 1;
    }
    console.log(`killed ${side} each of ${commits} commits`);
    expect(commits).toBeGreaterThanOrEqual(FIVE.length * 2);
  },
);
