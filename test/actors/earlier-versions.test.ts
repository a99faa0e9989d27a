/** What an earlier version stored, in the machines of this one. The databases of test/golden prove it whole. */
import Database from 'better-sqlite3';
import { describe, expect, test } from 'vitest';
import { transition } from 'xstate';
import { policyOfText, SUPERVISOR_MIGRATIONS } from '../../actors/earlier-versions.ts';
import { Registry, defineAction } from '../../actors/actions.ts';
import { spawnSupervisor } from '../../actors/spawn.ts';
import { actionMachine } from '../../machines/action.ts';
import { checkpointMachine } from '../../machines/checkpoint.ts';
import type { CheckpointContext } from '../../machines/checkpoint-state.ts';
import type { ActionContext, ActionNotice, AttemptInput } from '../../machines/action-state.ts';
import { checksumOf, seedOf, type ActorRow } from '../../persistence/actor-rows.ts';
import { crash } from '../../persistence/crash.ts';
import type { StoredState } from '../../persistence/migrations.ts';
import { tempStore } from '../support/temp.ts';
import { until } from '../support/turns.ts';

const FIRST = { retry: { attempts: 2, delayMs: 10, capMs: 10 }, timeoutMs: 5, hasFallback: true };
const CONTEXT = {
  id: 'a',
  slot: 3,
  policy: FIRST,
  attempt: 1,
  backOffMs: 10,
  error: { name: 'Error', code: null, message: 'no' },
  retryable: true,
  roll: 0.5,
  at: 1_000,
};

function migrated(value: string) {
  const [step] = SUPERVISOR_MIGRATIONS['action'] ?? [];
  const state = step?.migrate({ status: 'active', value, context: CONTEXT }, { actor: 'slot.3' }) as StoredState;
  return actionMachine.resolveState({ value, context: state.context as ActionContext });
}

function endOf(value: string, event: object): unknown {
  const [, actions] = transition(actionMachine, migrated(value), event as never);
  const notices = actions
    .filter(({ type }) => type === 'announce')
    .map(({ params }) => (params as unknown as { notice: ActionNotice }).notice);
  const end = notices.find(({ type }) => type === 'action.ended');
  return end?.type === 'action.ended' ? end.result : undefined;
}

const done = (id: string, output: unknown) => ({ type: `xstate.done.actor.${id}`, output, actorId: id });

test('a checkpoint of version 1 goes on counting, and does not know whether it was closed in order', () => {
  const [step] = SUPERVISOR_MIGRATIONS['checkpoint'] ?? [];
  const before = { everyActions: 3, everyMs: 1_000, settledSince: 2 };
  const state = step?.migrate({ status: 'active', value: 'counting', context: before }, { actor: 'checkpoint' });
  const counting = checkpointMachine.resolveState({
    value: 'counting',
    context: (state as StoredState).context as CheckpointContext,
  });
  const resumed = transition(checkpointMachine, counting, { type: 'checkpoint.found', at: 5, isFirst: true })[0];
  expect(resumed.context).toMatchObject({ crashes: 0, lastAt: 5, isDown: false });
  const [next, actions] = transition(checkpointMachine, resumed, { type: 'checkpoint.count', settled: 1 });
  expect([next.value, actions.some(({ type }) => type === 'nameTurn')]).toEqual(['clean', true]);
});

describe('an action of version 1', () => {
  test('that was tried goes on, with the attempts that were made and the error of before', () => {
    expect(endOf('attempting', done('attempter', { kind: 'returned', value: '7', at: 2_000, ms: 1 }))).toMatchObject({
      kind: 'recovered',
      attempts: 1,
      error: { message: 'no', class: 'transient', fingerprint: expect.stringMatching(/^[0-9a-f]{16}$/) as string },
    });
  });

  test('that fell back is degraded by its one fallback', () => {
    expect(endOf('fallingBack', done('fallback', { kind: 'returned', value: '7', at: 2_000, ms: 1 }))).toMatchObject({
      kind: 'degraded',
      via: 'fallback',
      qualityLoss: 0.5,
    });
  });

  test('that was being ended is cancelled', () => {
    expect(endOf('ending', done('ender', 2_000))).toMatchObject({ kind: 'cancelled' });
  });

  test('that backed off tries again', () => {
    const [next] = transition(actionMachine, migrated('backingOff'), {
      type: 'xstate.after.backOff.action.backingOff',
    } as never);
    expect([next.value, next.context.attempt]).toEqual(['attempting', 2]);
  });
});

test('a policy of version 1 says what it said then, and one of now is what it is', () => {
  expect(policyOfText(JSON.stringify(FIRST))).toMatchObject({
    retry: FIRST.retry,
    timeoutMs: 5,
    component: null,
    fallbacks: [{ name: 'fallback' }],
    risk: { impact: 'low', silence: 'wait' },
  });
  const now = new Registry({ now: defineAction({ run: () => 1, impact: 'high' }) }).policyOf('now');
  expect(policyOfText(JSON.stringify(now))).toEqual(now);
});

test.each(['{', 'null', '5', ''])('a policy that was damaged says so: %s', (text) => {
  expect(() => policyOfText(text)).toThrow(expect.objectContaining({ code: 'ROW_CORRUPT' }));
});

test('an attempt that an earlier version began, which knew of no deadline, is carried to its end', async () => {
  const store = tempStore();
  let runs = 0;
  const work = defineAction({
    run: (_: null) => {
      runs += 1;
      // The second takes longer than a limit that is no number.
      return new Promise<number>((resolve) => void (runs === 2 && setTimeout(resolve, 30, runs)));
    },
  });
  const first = await spawnSupervisor({ store, actions: { work } });
  await first.submit('work', null, { id: 'a' });
  await until(() => runs === 1);
  crash(first.durable);
  expect(forgotten(store)).toEqual(['attempt', 'id', 'timeoutMs', 'work']);
  await using second = await spawnSupervisor({ store, actions: { work } });
  expect(await second.execute('work', null, { id: 'a' })).toMatchObject({ kind: 'ok', value: 2, attempts: 1 });
});

/** Makes the stored input of the attempt what it was in version 1; gives what is left in it. */
function forgotten(store: string): string[] {
  const db = new Database(store);
  try {
    const row = db.prepare(`select * from actors where key = 'attempter'`).get() as ActorRow;
    const snapshot = JSON.parse(row.snapshot) as { input: Partial<AttemptInput> };
    const { deadlineAt: _deadline, fallback: _fallback, fix: _fix, ...input } = snapshot.input;
    const text = JSON.stringify({ ...snapshot, input });
    const checksum = checksumOf(text, seedOf(row), row.attempt, row.from_turn);
    db.prepare('update actors set snapshot = ?, checksum = ? where id = ?').run(text, checksum, row.id);
    return Object.keys(input).sort();
  } finally {
    db.close();
  }
}
