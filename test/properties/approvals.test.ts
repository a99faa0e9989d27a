/** Whatever is asked, answered, withdrawn and slept through, each approval is settled once, and by whom it may be. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { openApprovals, readApproval } from '../../actors/approval-ledger.ts';
import type { ApprovalsEvent, ApprovalsNotice, OnSilence } from '../../machines/approvals.ts';
import { crash } from '../../persistence/crash.ts';
import { SimulatedClock } from '../../persistence/simulated-clock.ts';
import { openApprovalsAt, requestFor } from '../support/approvals.ts';
import { quickStore } from '../support/temp.ts';

const ACTIONS = ['a', 'b', 'c'];

interface Expected {
  readonly action: string;
  readonly expiresAt: number | null;
  readonly onSilence: OnSilence;
  state: string;
}

/** What approvals are, without rows, timers or turns. */
class Model {
  readonly approvals = new Map<string, Expected>();
  readonly #asked = new Map<string, number>();

  open(): [string, Expected][] {
    return [...this.approvals].filter(([, { state }]) => state === 'open');
  }

  ask(action: string, expiresAt: number, onSilence: OnSilence): void {
    if (this.open().some(([, one]) => one.action === action)) return;
    const n = (this.#asked.get(action) ?? 0) + 1;
    this.#asked.set(action, n);
    const expiry = onSilence === 'wait' ? null : expiresAt;
    this.approvals.set(`${action}?${n}`, { action, expiresAt: expiry, onSilence, state: 'open' });
  }

  settle(id: string, state: string): void {
    const one = this.approvals.get(id);
    if (one?.state === 'open') one.state = state;
  }

  passTo(now: number): void {
    for (const [id, { expiresAt }] of this.open()) {
      if (expiresAt !== null && expiresAt <= now) this.settle(id, 'expired');
    }
  }
}

const anyAction = fc.constantFrom(...ACTIONS);
const anyStep = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({
      ask: anyAction,
      inMs: fc.integer({ min: 1, max: 50 }),
      onSilence: fc.constantFrom<OnSilence>('wait', 'approve', 'deny'),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      answer: fc.tuple(anyAction, fc.integer({ min: 1, max: 3 })).map(([action, n]) => `${action}?${n}`),
      decision: fc.constantFrom('approve' as const, 'deny' as const),
    }),
  },
  { weight: 1, arbitrary: fc.record({ withdraw: fc.uniqueArray(anyAction, { minLength: 1 }) }) },
  { weight: 3, arbitrary: fc.record({ passMs: fc.integer({ min: 1, max: 60 }) }) },
  { weight: 1, arbitrary: fc.record({ downMs: fc.integer({ min: 0, max: 60 }) }) },
);

const SETTLED: Readonly<Record<string, string>> = { approve: 'approved', deny: 'denied', withdraw: 'withdrawn' };

/** As what an approval was told to be settled, by whom it was. */
function stateTold({ decision, by }: Extract<ApprovalsNotice, { type: 'approval.settled' }>): string {
  return by === 'silence' ? 'expired' : (SETTLED[decision] as string);
}

test(
  'H20, property: an approval is settled once, as somebody or its policy for silence said',
  { timeout: 120_000 },
  async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(anyStep, { minLength: 1, maxLength: 25 }), async (steps) => {
        const path = quickStore();
        const clock = new SimulatedClock(1_000);
        const model = new Model();
        const told: ApprovalsNotice[] = [];
        let life = await openApprovalsAt(path, clock);
        const send = (event: ApprovalsEvent) => life.durable.send(event);
        const settle = async () => {
          await clock.advance(0);
          life.store.flush();
          told.push(...life.told.splice(0));
          model.passTo(clock.now());
        };
        try {
          for (const step of steps) {
            const at = clock.now();
            if ('ask' in step) {
              const expiresAt = at + step.inMs;
              const request = requestFor(step.ask, { at, expiresAt, onSilence: step.onSilence });
              await send({ type: 'approvals.request', requests: [request] });
              model.ask(step.ask, expiresAt, step.onSilence);
            } else if ('answer' in step) {
              const { answer: id, decision } = step;
              await send({ type: 'approvals.decide', id, decision, by: 'ann', note: null, at });
              model.settle(id, decision === 'approve' ? 'approved' : 'denied');
            } else if ('withdraw' in step) {
              await send({ type: 'approvals.withdraw', actions: step.withdraw, at });
              for (const [id, { action }] of model.open()) {
                if (step.withdraw.includes(action)) model.settle(id, 'withdrawn');
              }
            } else if ('passMs' in step) await clock.advance(step.passMs);
            else {
              crash(life.durable);
              await clock.advance(step.downMs);
              life = await openApprovalsAt(path, clock);
            }
            await settle();
            for (const [id, { state }] of model.approvals) {
              expect([id, readApproval(life.rows, id)?.state]).toEqual([id, state]);
            }
            expect(openApprovals(life.rows).map(({ id }) => id)).toEqual(model.open().map(([id]) => id));
            const next = Math.min(...model.open().map(([, { expiresAt }]) => expiresAt ?? Infinity));
            expect(life.durable.getSnapshot().context.dueAt ?? Infinity).toBe(next);
          }
          const settled = told.filter((notice) => notice.type === 'approval.settled');
          const expected = [...model.approvals].filter(([, { state }]) => state !== 'open');
          expect(settled).toHaveLength(expected.length);
          expect(Object.fromEntries(settled.map((notice) => [notice.id, stateTold(notice)]))).toEqual(
            Object.fromEntries(expected.map(([id, { state }]) => [id, state])),
          );
          const goesOn = ({ state, onSilence }: Expected) =>
            state === 'approved' || (state === 'expired' && onSilence === 'approve');
          const approved = told.flatMap((notice) => (notice.type === 'approvals.decided' ? notice.approved : []));
          expect(approved.sort((one, other) => (one < other ? -1 : 1))).toEqual(
            expected
              .filter(([, one]) => goesOn(one))
              .map(([, { action }]) => action)
              .sort((one, other) => (one < other ? -1 : 1)),
          );
        } finally {
          await life.durable.close();
        }
      }),
      { numRuns: 200 },
    );
  },
);
