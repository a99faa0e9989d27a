import { copyFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, describe, expect, test } from 'vitest';
import type { AnyActorRef } from 'xstate';
import { defineAction, createDurableActor, spawnSupervisor, type DurableActor, type Supervisor } from '../../index.ts';
import { SimulatedClock } from '../../testing.ts';
import { tempFolder } from '../support/temp.ts';
import { until } from '../support/turns.ts';
import { orderMachine } from './machines.mjs';

const golden = readdirSync(import.meta.dirname).filter((name) => name.endsWith('.db'));
const opened: (DurableActor<typeof orderMachine> | Supervisor<never>)[] = [];

afterEach(async () => {
  for (const one of opened.splice(0)) await one.close();
});

describe.each(golden)('the database %s, written by an earlier build', (name) => {
  function copy(): string {
    const path = join(tempFolder(), name);
    copyFileSync(join(import.meta.dirname, name), path);
    return path;
  }

  test('gives a tree back with its children, references, values, history, timers and message ids', async () => {
    const clock = new SimulatedClock();
    const durable = await createDurableActor(orderMachine, { store: copy(), id: 'order-1', clock });
    opened.push(durable);
    expect(durable.resumed).toMatchObject({ actors: 4, effects: 1 });
    const { context, value, children } = durable.getSnapshot();
    expect(value).toEqual({ payment: 'paying', parcel: 'outside' });
    expect(context).toMatchObject({ seen: new Set(['book', 'lamp']), placedAt: new Date(1_000), total: 11_150n });
    expect(context.note).toBeInstanceOf(Error);
    expect(children['lamp']?.getSnapshot().value).toBe('listed');
    const book = context.items.get('book') as AnyActorRef;
    expect(book.getSnapshot()).toMatchObject({ status: 'done', context: { name: 'book', picked: 1 } });
    expect(children['lamp']?.getSnapshot().context.parent).toBe(durable.actor);

    const repeat = await durable.send({ type: 'add', name: 'book', cents: 1, at: 2_000 }, { id: 'add-book' });
    expect(repeat.applied).toBe(false);
    await durable.send({ type: 'enter' });
    expect(durable.getSnapshot().value).toMatchObject({ parcel: { inside: 'box' } });
    await clock.advance(3_600_000);
    expect(durable.getSnapshot().children['lamp']?.getSnapshot().value).toBe('expired');
    await clock.advance(86_400_000);
    expect(durable.getSnapshot().context.reminded).toBe(1);
  });

  test('gives a supervisor back, which goes on with the plan where it was', async () => {
    const actions = {
      double: defineAction({ run: async ({ n }: { n: number }) => n * 2 }),
      never: defineAction({ run: async () => 'after all' }),
    };
    const supervisor = await spawnSupervisor({ store: copy(), actions, concurrency: 2, clock: new SimulatedClock() });
    opened.push(supervisor as never);
    const settled = await supervisor.execute('double', { n: 21 }, { id: 'double:21' });
    expect(settled).toMatchObject({ kind: 'ok', value: 42, attempts: 1 });
    expect((await supervisor.joinPlan('plan:1').outcome).kind).toMatch(/ok|recovered/);
    // It was written before anybody could be asked.
    await supervisor.submit('double', { n: 4 }, { id: 'risky', confidence: 0.1 });
    await until(() => supervisor.approvals().length === 1);
    await supervisor.approve('risky');
    expect(await supervisor.execute('double', { n: 4 }, { id: 'risky' })).toMatchObject({ kind: 'ok', value: 8 });
  });
});
