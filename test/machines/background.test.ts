import fc from 'fast-check';
import { expect, test } from 'vitest';
import { initialTransition, transition, type SnapshotFrom } from 'xstate';
import {
  backgroundMachine,
  quarantinedUntil,
  type BackgroundCommand,
  type BackgroundNotice,
  type BackgroundPolicy,
} from '../../machines/background.ts';

type State = SnapshotFrom<typeof backgroundMachine>;
type Step = readonly [State, readonly { type: string; params?: unknown }[]];

const begin = (policy: Partial<BackgroundPolicy> = {}) =>
  initialTransition(backgroundMachine, {
    policy: { size: 2, intensity: 2, periodMs: 100, ...policy },
  }) as unknown as Step;
const send = ([state]: Step, event: BackgroundCommand) =>
  transition(backgroundMachine, state, event) as unknown as Step;
const told = ([, actions]: Step) =>
  actions
    .filter(({ type }) => type === 'announce')
    .map(({ params }) => (params as { notice: BackgroundNotice }).notice);
const died = (at: number, module = './a.mjs'): BackgroundCommand => ({
  type: 'background.died',
  module,
  code: 'THREAD_EXITED',
  at,
});
const until = ([state]: Step, now: number, module = './a.mjs') => quarantinedUntil(state.context, module, now);

test('a pool is accepting, saturated, draining and closed, and accepts again in its next life', () => {
  let step = begin();
  const go = (event: BackgroundCommand) => {
    step = send(step, event);
    return [step[0].value, told(step).length];
  };
  expect(step[0].value).toBe('accepting');
  expect(go({ type: 'background.eased', at: 1 })).toEqual(['accepting', 0]);
  expect(go({ type: 'background.pressed', at: 2 })).toEqual(['saturated', 1]);
  expect(go({ type: 'background.pressed', at: 3 })).toEqual(['saturated', 0]);
  expect(go({ type: 'background.eased', at: 4 })).toEqual(['accepting', 1]);
  expect(go({ type: 'background.drain', at: 5 })).toEqual(['draining', 1]);
  expect(go({ type: 'background.pressed', at: 6 })).toEqual(['draining', 0]);
  expect(go({ type: 'background.close', at: 7 })).toEqual(['closed', 1]);
  const policy = { size: 3, intensity: 1, periodMs: 5 };
  expect(go({ type: 'background.configure', policy, at: 8 })).toEqual(['accepting', 0]);
  expect(step[0].context.policy).toEqual(policy);
});

test('the third death within the period quarantines a module of two, once, and no other module', () => {
  let step = send(send(begin(), died(10)), died(50));
  expect([told(step), until(step, 50)]).toEqual([[], 0]);
  step = send(step, died(90));
  expect(told(step)).toEqual([
    { type: 'background.quarantined', module: './a.mjs', code: 'THREAD_EXITED', until: 190, at: 90 },
  ]);
  expect([until(step, 91), until(step, 189), until(step, 190), until(step, 91, './b.mjs')]).toEqual([190, 190, 0, 0]);
  // A thread that was still running then.
  step = send(step, died(95));
  expect([told(step), until(step, 100)]).toEqual([[], 190]);
  expect(step[0].context.deaths).toBe(4);
});

test('a death that is older than the period is borne', () => {
  const step = [10, 60, 111, 161, 212].reduce((before, at) => send(before, died(at)), begin());
  expect(until(step, 212)).toBe(0);
});

test('no deaths at all are too many where the host says so', () => {
  const step = Array.from({ length: 500 }, (_, at) => at).reduce(
    (before, at) => send(before, died(at)),
    begin({ intensity: null }),
  );
  expect([until(step, 500), step[0].context.deaths]).toEqual([0, 500]);
});

test('property: a module is quarantined exactly if more threads of it died within the period than are borne, and what is kept is bounded', () => {
  const deaths = fc.array(fc.tuple(fc.nat(60), fc.nat(3)), { maxLength: 60 });
  fc.assert(
    fc.property(deaths, fc.nat(4), (waits, intensity) => {
      let step = begin({ intensity });
      let at = 1;
      const seen = new Map<string, number[]>();
      const closed = new Map<string, number>();
      for (const [wait, which] of waits) {
        at += wait;
        const module = `./${which}.mjs`;
        step = send(step, died(at, module));
        if ((closed.get(module) ?? 0) <= at) {
          const recent = [...(seen.get(module) ?? []), at].filter((time) => time > at - 100);
          seen.set(module, recent);
          if (recent.length > intensity) {
            closed.set(module, at + 100);
            seen.set(module, []);
          }
        }
        for (let one = 0; one <= 3; one += 1) {
          const expected = closed.get(`./${one}.mjs`) ?? 0;
          expect(until(step, at, `./${one}.mjs`)).toBe(expected > at ? expected : 0);
        }
      }
    }),
    { numRuns: 300 },
  );
});

test('the context stays below 4 KB, however many modules die however often', () => {
  let step = begin({ intensity: 20, periodMs: 1_000_000 });
  for (let n = 0; n < 400; n += 1)
    step = send(step, died(1_700_000_000_000 + n, `./a/folder/of/some/length/module-${n % 20}.mjs`));
  expect(JSON.stringify(step[0].context).length).toBeLessThan(4_096);
  for (let n = 0; n < 400; n += 1) step = send(step, died(1_700_000_000_000 + n, `./module-${Math.floor(n / 20)}.mjs`));
  expect(JSON.stringify(step[0].context).length).toBeLessThan(4_096);
});
