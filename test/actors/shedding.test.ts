import { describe, expect, test } from 'vitest';
import { defineAction } from '../../actors/actions.ts';
import { crash } from '../../persistence/crash.ts';
import { SimulatedClock } from '../../persistence/simulated-clock.ts';
import { START, charged, open } from '../support/pipeline.ts';
import { quickStore } from '../support/temp.ts';
import { settle } from '../support/turns.ts';

/** Actions that end when the test says so, and which of them have begun. */
function held() {
  const began: string[] = [];
  const ends = new Map<string, () => void>();
  const run = (_: null, { id }: { readonly id: string }) => {
    began.push(id);
    return new Promise<void>((resolve) => void ends.set(id, resolve));
  };
  return { began, ends, actions: { work: defineAction({ run }) } };
}

const admit = (limit: number | null, shed = false) => ({ type: 'executor.admit' as const, limit, shed });

describe('while resources are short', () => {
  test('fewer run at once, what runs goes on, and it is the same after a crash', async () => {
    const { began, ends, actions } = held();
    const options = { actions, store: quickStore(), concurrency: 3 };
    const first = await open(new SimulatedClock(START), options);
    for (const id of ['a', 'b', 'c', 'd', 'e']) (await first.submit('work', null, { id })).outcome.catch(() => {});
    await settle();
    await first.durable.send(admit(1));
    ends.get('a')!();
    ends.get('b')!();
    await settle();
    expect(began).toEqual(['a', 'b', 'c']);
    crash(first.durable);

    await using second = await open(new SimulatedClock(START), options);
    await settle();
    expect(began.slice(3)).toEqual(['c']);
    ends.get('c')!();
    await settle();
    expect(began.slice(4)).toEqual(['d']);
    await second.durable.send(admit(null));
    await settle();
    expect(began.slice(5)).toEqual(['e']);
    ends.get('d')!();
    ends.get('e')!();
    await settle();
  });

  test('what waits and is optional is skipped with LOAD_SHED, costs no error budget, and nothing that is needed is', async () => {
    const { began, ends, actions } = held();
    await using supervisor = await open(new SimulatedClock(START), { actions, concurrency: 1, queues: { mail: {} } });
    const submit = (id: string, options: object = {}) => supervisor.submit('work', null, { id, ...options });
    await submit('runs', { optional: true });
    const shed = [
      await submit('optional', { optional: true }),
      await submit('mail', { optional: true, queue: 'mail' }),
    ];
    const needed = await submit('needed');
    await supervisor.durable.send(admit(1, true));
    const late = await submit('late', { optional: true });
    for (const { outcome } of [...shed, late])
      expect(await outcome).toMatchObject({ kind: 'skipped', attempts: 0, error: { code: 'LOAD_SHED' } });
    expect(charged(supervisor)).toEqual({ good: 0, bad: 0 });
    ends.get('runs')!();
    await settle();
    expect(began).toEqual(['runs', 'needed']);
    ends.get('needed')!();
    expect((await needed.outcome).kind).toBe('ok');
  });

  test('an optional step is left out only when nothing depends on it', async () => {
    const { began, ends, actions } = held();
    await using supervisor = await open(new SimulatedClock(START), { actions, concurrency: 1 });
    await supervisor.submit('work', null, { id: 'first' });
    const plan = await supervisor.plan({
      id: 'p',
      steps: [
        { id: 'needed', action: 'work', input: null, optional: true },
        { id: 'extra', action: 'work', input: null, optional: true },
        { id: 'last', action: 'work', input: null, after: ['needed'] },
      ],
    });
    await supervisor.durable.send(admit(1, true));
    ends.get('first')!();
    await settle();
    // What is optional waits as long as it is short, also what was not left out.
    expect(began).toEqual(['first']);
    await supervisor.durable.send(admit(null));
    await settle();
    for (const id of ['p/needed', 'p/last']) {
      ends.get(id)!();
      await settle();
    }
    const { steps } = await plan.outcome;
    expect(steps).toMatchObject({ needed: { kind: 'ok' }, extra: { kind: 'skipped' }, last: { kind: 'ok' } });
  });

  test('thousands are left out a thousand a turn, each once', async () => {
    const { ends, actions } = held();
    const clock = new SimulatedClock(START);
    await using supervisor = await open(clock, { actions, concurrency: 1 });
    await supervisor.submit('work', null, { id: 'runs' });
    const many = Array.from({ length: 2_500 }, (_, i) => ({
      action: 'work' as const,
      input: null,
      id: `o${i}`,
      optional: true,
    }));
    const outcomes = await Promise.all(
      many.map(({ action, input, ...options }) => supervisor.submit(action, input, options)),
    );
    let settled = 0;
    supervisor.durable.on('action.settled', () => void (settled += 1));
    await supervisor.durable.send(admit(1, true));
    while (settled < 2_500) {
      await clock.advance(1);
      await settle();
    }
    const kinds = await Promise.all(outcomes.map(async ({ outcome }) => (await outcome).kind));
    expect(new Set(kinds)).toEqual(new Set(['skipped']));
    expect(settled).toBe(2_500);
    ends.get('runs')!();
  });
});
