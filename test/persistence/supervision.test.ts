import fc from 'fast-check';
import { expect, test } from 'vitest';
import { admit, affected, inOrder, isRestarted, type Window } from '../../persistence/supervision.ts';

const allowance = fc.record({ intensity: fc.integer({ min: 0, max: 5 }), periodMs: fc.integer({ min: 1, max: 50 }) });

test('property: no period holds more restarts than the intensity, and a refusal is never without a reason', () => {
  fc.assert(
    fc.property(allowance, fc.array(fc.nat(20), { maxLength: 60 }), (allowed, gaps) => {
      let now = 0;
      let window: Window = [];
      const admitted: number[] = [];
      for (const gap of gaps) {
        now += gap;
        const recent = admitted.filter((at) => at > now - allowed.periodMs).length;
        const next = admit(window, now, allowed);
        expect(next !== undefined).toBe(recent < allowed.intensity);
        if (next === undefined) continue;
        admitted.push(now);
        window = next;
        expect(window.length).toBe(recent + 1);
      }
    }),
  );
});

test('property: a clock that goes back neither refills the window nor keeps it full for longer than a period', () => {
  fc.assert(
    fc.property(allowance, fc.array(fc.nat(1_000), { maxLength: 20 }), (allowed, times) => {
      let window: Window = [];
      for (const now of times) window = admit(window, now, allowed) ?? window;
      const last = times.at(-1) ?? 0;
      const settled = admit(window, last, allowed);
      const later = admit(settled ?? window.map((at) => Math.min(at, last)), last + allowed.periodMs, allowed);
      expect(later !== undefined).toBe(allowed.intensity > 0);
    }),
  );
});

const children = fc.uniqueArray(fc.record({ id: fc.string(), order: fc.nat() }), {
  minLength: 1,
  selector: ({ id }) => id,
});

test('property: a group is all children, or those from the failed one on, in the order of their starts', () => {
  fc.assert(
    fc.property(children, fc.nat(), (all, pick) => {
      const failed = all[pick % all.length] as (typeof all)[number];
      expect(affected('one_for_all', failed, all)).toEqual(inOrder(all));
      const rest = affected('rest_for_one', failed, all);
      expect(rest).toContain(failed);
      for (const child of all) {
        if (child !== failed) expect(rest.includes(child)).toBe(child.order > failed.order);
      }
      expect(rest).toEqual(inOrder(rest));
    }),
  );
});

test('permanent children are restarted always, transient ones after an error, temporary ones never', () => {
  const table = (['permanent', 'transient', 'temporary'] as const).map((restart) => [
    isRestarted(restart, 'done'),
    isRestarted(restart, 'error'),
  ]);
  expect(table).toEqual([
    [true, true],
    [false, true],
    [false, false],
  ]);
});
