import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { initialTransition, transition, type SnapshotFrom } from 'xstate';
import type { ResourceStanding } from '../../machines/pressure.ts';
import { RESOURCES, RUNGS, type ResourceName } from '../../machines/resource-policy.ts';
import {
  resourcesMachine,
  type Relief,
  type ResourcesEvent,
  type ResourcesNotice,
  type Standings,
} from '../../machines/resources.ts';

type Snapshot = SnapshotFrom<typeof resourcesMachine>;
type Step = { readonly type: string; readonly params?: { readonly notice?: ResourcesNotice; readonly id?: string } };

const after = (delay: string, state: string) => ({ type: `xstate.after.${delay}.resources.${state}` }) as never;
const INTERVAL = after('interval', 'admission.throttled');
const SHED_INTERVAL = after('interval', 'admission.shedding');
const COOLED = after('coolDown', 'relief.coolingDown');
const RESTED = after('rest', 'relief.spent');
const TOO_LONG = after('reliefLimit', 'relief.relieving');
const done = (output: Relief) => ({ type: 'xstate.done.actor.reliever', output, actorId: 'reliever' }) as never;
const failed = (error: unknown) => ({ type: 'xstate.error.actor.reliever', error, actorId: 'reliever' }) as never;

const NORMAL: ResourceStanding = {
  value: 40,
  limit: 100,
  level: 'normal',
  forecast: 'none',
  etaMs: null,
  earliestMs: null,
  latestMs: null,
};
const CRITICAL: ResourceStanding = { ...NORMAL, value: 97, level: 'critical' };
const IMMINENT: ResourceStanding = {
  ...NORMAL,
  value: 70,
  forecast: 'imminent',
  etaMs: 200_000,
  earliestMs: 180_000,
  latestMs: 230_000,
};

/** The machine, stepped by hand. */
class Stepped {
  snapshot: Snapshot;
  last: readonly Step[];

  constructor(concurrency = 8) {
    const [snapshot, steps] = initialTransition(resourcesMachine, { concurrency });
    this.snapshot = snapshot;
    this.last = steps as readonly Step[];
  }

  get admission(): string {
    return this.snapshot.value.admission;
  }

  get relief(): string {
    return this.snapshot.value.relief;
  }

  get limit(): number | null {
    return this.snapshot.context.limit;
  }

  get told(): readonly ResourcesNotice[] {
    return this.last.flatMap(({ type, params }) => (type === 'announce' && params?.notice ? [params.notice] : []));
  }

  /** What was done: `pressure.acted`. */
  get acts(): readonly string[] {
    return this.told.flatMap((notice) => (notice.type === 'pressure.acted' ? [notice.action] : []));
  }

  get admits(): readonly unknown[] {
    return this.told.flatMap((notice) => (notice.type === 'executor.admit' ? [[notice.limit, notice.shed]] : []));
  }

  /** What the reliever was asked for. */
  get asked(): readonly string[] {
    const child = this.snapshot.children['reliever'];
    return child === undefined ? [] : [RUNGS[this.snapshot.context.rung] as string];
  }

  send(event: ResourcesEvent): this {
    const [snapshot, steps] = transition(resourcesMachine, this.snapshot, event);
    this.snapshot = snapshot;
    this.last = steps as readonly Step[];
    return this;
  }

  sample(values: Standings, at = 0): this {
    return this.send({ type: 'resources.sample', at, values });
  }
}

describe('what is told', () => {
  test('is what has changed, and nothing else', () => {
    const resources = new Stepped().sample({ memory: NORMAL, cpu: { ...CRITICAL } }, 5);
    expect(resources.told).toEqual([
      { type: 'pressure.changed', resource: 'cpu', level: 'critical', etaMs: null, at: 5 },
    ]);
    expect(resources.sample({ memory: NORMAL, cpu: { ...CRITICAL, value: 99 } }, 6).told).toEqual([]);
    expect(resources.sample({ hostMemory: IMMINENT, cpu: NORMAL }, 7).told).toEqual([
      {
        type: 'pressure.forecast',
        resource: 'hostMemory',
        forecast: 'imminent',
        etaMs: 200_000,
        earliestMs: 180_000,
        latestMs: 230_000,
        at: 7,
      },
      { type: 'pressure.changed', resource: 'cpu', level: 'normal', etaMs: null, at: 7 },
    ]);
  });

  test('says of what is not watched any more that nothing is the matter', () => {
    const resources = new Stepped().sample({ cpu: CRITICAL });
    expect(resources.sample({}, 9).told).toMatchObject([{ resource: 'cpu', level: 'normal', at: 9 }]);
  });

  test('of what others take, or of a busy processor, is all: nothing is held back', () => {
    const resources = new Stepped().sample({ hostMemory: CRITICAL, cpu: CRITICAL, loopUtilization: CRITICAL });
    expect([resources.admission, resources.relief]).toEqual(['open', 'resting']);
  });
});

describe('how many run at once', () => {
  test('is halved when a limit is near, and each interval while it is, and never below one', () => {
    const resources = new Stepped(9).sample({ heap: IMMINENT });
    expect(resources.admission).toBe('throttled');
    expect(resources.admits).toEqual([[4, false]]);
    expect(resources.acts).toContain('throttle');
    expect(resources.send(INTERVAL).admits).toEqual([[2, false]]);
    expect(resources.send(INTERVAL).admits).toEqual([[1, false]]);
    expect(resources.send(INTERVAL).admits).toEqual([]);
    expect(resources.limit).toBe(1);
  });

  test.each([1, 8, 64, 256, 1_000])('is all again after a dozen intervals of calm, of %d', (concurrency) => {
    const resources = new Stepped(concurrency).sample({ loopDelay: CRITICAL });
    for (let i = 0; i < 10; i += 1) resources.send(INTERVAL);
    expect(resources.limit).toBe(1);
    resources.sample({});
    const limits: (number | null)[] = [];
    for (let i = 0; i < 12; i += 1) limits.push(resources.send(INTERVAL).limit);
    expect(limits.at(-1)).toBeNull();
    // No step is greater than a twelfth.
    limits.slice(0, -1).forEach((limit, i) => {
      if (limit !== null) expect(limit - (limits[i - 1] ?? 1)).toBeLessThanOrEqual(Math.ceil(concurrency / 12));
    });
  });

  test('grows by one of a few each interval of calm, until all may run', () => {
    const resources = new Stepped(4).sample({ heap: CRITICAL }).send(INTERVAL).sample({ heap: NORMAL });
    expect(resources.limit).toBe(1);
    expect(resources.send(INTERVAL).admits).toEqual([[2, false]]);
    expect(resources.send(INTERVAL).admits).toEqual([[3, false]]);
    expect(resources.send(INTERVAL).told).toEqual([
      { type: 'executor.admit', limit: null, shed: false },
      { type: 'pressure.acted', action: 'recover', resources: [], limit: null, relief: null, error: null },
    ]);
    expect(resources.admission).toBe('open');
  });

  test('does not begin anew while it grows: a level that is only elevated holds nothing back', () => {
    const resources = new Stepped(4).sample({ heap: CRITICAL }).sample({ heap: { ...NORMAL, level: 'elevated' } });
    expect(resources.send(INTERVAL).admits).toEqual([[3, false]]);
  });

  test('is lowered for an event loop that is late, and nothing else is done about it', () => {
    const resources = new Stepped().sample({ loopDelay: CRITICAL });
    expect([resources.admission, resources.relief]).toEqual(['throttled', 'resting']);
  });

  test('A2: nothing is held against what nothing has been heard of for two minutes', () => {
    const resources = new Stepped(4).sample({ heap: CRITICAL });
    for (let i = 0; i < 12; i += 1) resources.send(INTERVAL);
    expect(resources.limit).toBe(1);
    resources.send(INTERVAL).send(INTERVAL).send(INTERVAL);
    expect(resources.admission).toBe('open');
  });

  test('is what it would be when nothing is watched any more', () => {
    const resources = new Stepped(4).sample({ heap: CRITICAL }).send({ type: 'resources.disable' });
    expect(resources.admits).toEqual([[null, false]]);
    expect(resources.acts).toEqual(['recover']);
    expect([resources.admission, resources.snapshot.context.standings]).toEqual(['open', {}]);
  });

  test('follows what the host allows', () => {
    const resources = new Stepped(4).send({ type: 'resources.configure', concurrency: 20 }).sample({ heap: CRITICAL });
    expect(resources.limit).toBe(10);
  });
});

describe('what else is done', () => {
  const SOME: Relief = { did: ['the cache'], freedBytes: null };

  test('goes from the mildest to the hardest, one at a time, as long as it is critical', () => {
    const resources = new Stepped(2).sample({ heap: CRITICAL });
    const did: string[] = [];
    for (const rung of ['cleanUp', 'runCleanups']) {
      expect(resources.asked).toEqual([rung]);
      did.push(...resources.send(done({ did: [rung], freedBytes: 7 })).acts);
      expect(resources.relief).toBe('coolingDown');
      resources.send(COOLED);
    }
    expect(did).toEqual(['cleanUp', 'runCleanups']);
    expect(resources.acts).toEqual(['shed']);
    expect(resources.admission).toBe('shedding');
    expect(resources.send(COOLED).told).toEqual([
      { type: 'supervisor.checkpoint', reason: 'pressure' },
      { type: 'supervisor.restartAdvised', resources: ['heap'] },
      { type: 'pressure.acted', action: 'restart', resources: ['heap'], limit: 1, relief: null, error: null },
    ]);
    expect(resources.send(COOLED).relief).toBe('spent');
    expect(resources.send(RESTED).asked).toEqual(['cleanUp']);
  });

  test('A3: a forecast alone sheds nothing and restarts nothing; when it comes true, both are done', () => {
    const resources = new Stepped().sample({ heap: IMMINENT });
    for (let i = 0; i < 2; i += 1) resources.send(done(SOME)).send(COOLED);
    expect(resources.relief).toBe('spent');
    expect(resources.admission).toBe('throttled');
    expect(resources.sample({ heap: { ...IMMINENT, level: 'critical' } }).acts).toContain('shed');
    expect(resources.send(COOLED).acts).toContain('restart');
  });

  test('A3: a restart is not advised for a disk, and a log is only pruned', () => {
    const disk = new Stepped().sample({ disk: CRITICAL });
    for (let i = 0; i < 3; i += 1) disk.send(done(SOME)).send(COOLED);
    expect(disk.admission).toBe('shedding');
    expect(disk.send(COOLED).relief).toBe('spent');
    const wal = new Stepped().sample({ wal: CRITICAL });
    expect([wal.asked, wal.admission]).toEqual([['prune'], 'open']);
    expect(wal.send(done(SOME)).send(COOLED).relief).toBe('spent');
  });

  test('ends when the pressure has gone, and begins with the mildest the next time', () => {
    const resources = new Stepped().sample({ heap: CRITICAL }).send(done(SOME)).send(COOLED);
    expect(resources.asked).toEqual(['runCleanups']);
    resources.sample({ heap: NORMAL }).send(done(SOME)).send(COOLED);
    expect(resources.relief).toBe('resting');
    expect(resources.sample({ heap: CRITICAL }).asked).toEqual(['cleanUp']);
  });

  test('begins with the mildest when all was done, it was well again, and is short again', () => {
    const resources = new Stepped().sample({ wal: CRITICAL }).send(done(SOME)).send(COOLED);
    expect(resources.relief).toBe('spent');
    expect(resources.sample({ wal: NORMAL }).relief).toBe('resting');
    expect(resources.sample({ wal: CRITICAL }).asked).toEqual(['prune']);
  });

  test('goes on after what failed, and after what took too long, and says so', () => {
    const resources = new Stepped().sample({ heap: CRITICAL }).send(failed(new Error('no such cache')));
    expect(resources.told).toMatchObject([{ action: 'cleanUp', error: 'no such cache', relief: null }]);
    expect(resources.send(COOLED).send(TOO_LONG).told).toMatchObject([
      { action: 'runCleanups', error: 'It took longer than 30000 ms.' },
    ]);
    expect(resources.send(COOLED).acts).toEqual(['shed']);
  });

  test('stops shedding when nothing is critical any more, and lets the rest grow back', () => {
    const resources = new Stepped(4).sample({ disk: CRITICAL });
    for (let i = 0; i < 3; i += 1) resources.send(done(SOME)).send(COOLED);
    expect(resources.admits).toEqual([[2, true]]);
    expect(resources.send(SHED_INTERVAL).admits).toEqual([[1, true]]);
    expect(resources.sample({ disk: NORMAL }).send(SHED_INTERVAL).admits).toEqual([[1, false]]);
    expect(resources.admission).toBe('throttled');
    expect(resources.send(INTERVAL).limit).toBe(2);
  });

  test('is done at once when somebody asks; without pressure nothing is', () => {
    const resources = new Stepped().send({ type: 'resources.optimize' });
    expect([resources.told, resources.relief]).toEqual([[], 'resting']);
    resources.sample({ heap: IMMINENT }).send(done(SOME));
    expect(resources.send({ type: 'resources.optimize' }).asked).toEqual(['runCleanups']);
  });

  test('waits for nothing where there was nothing to do', () => {
    const resources = new Stepped().sample({ heap: IMMINENT });
    resources.send(done({ did: [], freedBytes: null }));
    expect([resources.acts, resources.asked]).toEqual([['cleanUp'], ['runCleanups']]);
    resources.send(done({ did: [], freedBytes: null }));
    expect(resources.relief).toBe('spent');
  });
});

describe('whatever happens', () => {
  const standing = fc.constantFrom(NORMAL, CRITICAL, IMMINENT, { ...NORMAL, level: 'elevated' as const });
  const values = fc.dictionary(fc.constantFrom(...(Object.keys(RESOURCES) as ResourceName[])), standing);
  const events: fc.Arbitrary<ResourcesEvent> = fc.oneof(
    values.map((standings) => ({ type: 'resources.sample' as const, at: 0, values: standings })),
    fc.constantFrom(
      INTERVAL,
      INTERVAL,
      SHED_INTERVAL,
      COOLED,
      RESTED,
      TOO_LONG,
      done({ did: [], freedBytes: null }),
      failed(new Error('no')),
    ),
    fc.constantFrom({ type: 'resources.optimize' as const }, { type: 'resources.disable' as const }),
    fc.integer({ min: 1, max: 64 }).map((concurrency) => ({ type: 'resources.configure' as const, concurrency })),
  );

  test('A1, A2: the limit is from one up, a twelfth more at most at a time, and in calm it goes', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 64 }), fc.array(events, { maxLength: 80 }), (concurrency, all) => {
        const resources = new Stepped(concurrency);
        for (const event of all) {
          const before = resources.limit;
          resources.send(event);
          const { limit } = resources;
          if (limit === null) continue;
          expect(limit).toBeGreaterThanOrEqual(1);
          if (before !== null)
            expect(limit).toBeLessThanOrEqual(before + Math.ceil(resources.snapshot.context.concurrency / 12));
          else expect(limit).toBeLessThanOrEqual(Math.max(1, resources.snapshot.context.concurrency / 2));
          // The executor has been told of every limit that is another.
          if (limit !== before) expect(resources.admits.at(-1)).toEqual([limit, resources.admission === 'shedding']);
        }
        resources.sample({}).send(SHED_INTERVAL);
        for (let i = 0; i < 12; i += 1) resources.send(INTERVAL);
        expect([resources.admission, resources.limit]).toEqual(['open', null]);
      }),
    );
  });

  test('something that costs is done only while something that it helps is critical', () => {
    fc.assert(
      fc.property(fc.array(events, { maxLength: 80 }), (all) => {
        const resources = new Stepped();
        for (const event of all) {
          resources.send(event);
          for (const notice of resources.told) {
            if (notice.type !== 'pressure.acted' || (notice.action !== 'shed' && notice.action !== 'restart')) continue;
            expect(notice.resources.length).toBeGreaterThan(0);
            for (const name of notice.resources)
              expect(resources.snapshot.context.standings[name]?.level).toBe('critical');
          }
        }
      }),
    );
  });

  test('its context stays below 4 KB', () => {
    const all = Object.fromEntries(
      Object.keys(RESOURCES).map((name) => [
        name,
        { ...IMMINENT, value: 123_456_789_012.345, limit: 987_654_321_098.765 },
      ]),
    );
    const resources = new Stepped().sample(all);
    expect(JSON.stringify(resources.snapshot.context).length).toBeLessThan(4_096);
  });
});
