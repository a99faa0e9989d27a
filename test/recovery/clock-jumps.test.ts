/**
 * The rule (docs/design.md, "When the clock jumps"), on a process whose clock is bent. PERDURE_SEED repeats a run.
 */
import { afterAll, expect, test } from 'vitest';
import { tempFolder } from '../support/temp.ts';
import { BentLife, RECHECK_MS, SLACK_MS, jumpAgainAndAgain } from './clock-jump.ts';
import { faketime, without } from './tools.ts';

const seed = Number(process.env['PERDURE_SEED'] ?? Date.now() % 1_000_000);
const HOUR = 3_600;
const DAY = 24 * HOUR;
const label = without('libfaketime', faketime !== undefined);
const jumps = [
  { name: 'an hour', seconds: HOUR },
  { name: '30 days', seconds: 30 * DAY },
];

const lives: BentLife[] = [];

async function begin(): Promise<BentLife> {
  const life = new BentLife(tempFolder());
  lives.push(life);
  await life.start();
  return life;
}

afterAll(() => Promise.all(lives.map((life) => life.kill())));

const onJumps = test.skipIf(faketime === undefined).concurrent.each(jumps);

onJumps(
  `the clock of a running process jumps $name ahead: what is due then rings, once, the rest waits${label}`,
  async ({ seconds }) => {
    const life = await begin();
    await life.set('soon', 1_200);
    await life.set('before', (seconds - 600) * 1_000);
    await life.set('after', (seconds + 600) * 1_000);
    life.jump(seconds);
    await life.expect(['soon', 'before'], RECHECK_MS + SLACK_MS);
    await life.expectSilence(['after'], 1_000);
    expect(life.wrong).toEqual([]);
  },
);

onJumps(
  `the clock of a running process jumps $name back: nothing waits longer than its delay${label}`,
  async ({ seconds }) => {
    const life = await begin();
    await life.set('first', 1_500);
    await life.set('second', 2_500);
    life.jump(-seconds);
    await life.set('later', 1_000);
    await life.expect(['first', 'second', 'later'], 2_500 + SLACK_MS);
    expect(life.wrong).toEqual([]);
    expect(life.order).toEqual(['later', 'first', 'second']);
  },
);

onJumps(
  `the clock jumps $name ahead while the process is down: what is late rings at the start, in due order${label}`,
  async ({ seconds }) => {
    const life = await begin();
    await life.set('second', (seconds - 600) * 1_000);
    await life.set('first', 2_000);
    await life.set('after', (seconds + 600) * 1_000);
    await life.kill();
    life.jump(seconds);
    await life.start();
    await life.expect(['first', 'second'], SLACK_MS);
    await life.expectSilence(['after'], 1_000);
    expect(life.order).toEqual(['first', 'second']);
    expect(life.wrong).toEqual([]);
  },
);

onJumps(
  `the clock jumps $name back while the process is down: what was set waits for its time, and is not lost${label}`,
  async ({ seconds }) => {
    const life = await begin();
    await life.set('waiting', 1_000);
    await life.kill();
    life.jump(-seconds);
    await life.start();
    await life.expectSilence(['waiting'], 2_500);
    life.jump(0);
    await life.expect(['waiting'], RECHECK_MS + SLACK_MS);
    expect(life.wrong).toEqual([]);
  },
);

test
  .skipIf(faketime === undefined)
  .concurrent(
    `a clock that jumps again and again, with kills between, loses no alarm, rings none twice and none early (PERDURE_SEED=${seed})${label}`,
    async () => {
      expect(await jumpAgainAndAgain(tempFolder(), seed)).toEqual([]);
    },
  );
