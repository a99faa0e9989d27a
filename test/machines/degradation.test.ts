import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { initialTransition, transition, type SnapshotFrom } from 'xstate';
import { type ComponentStatus } from '../../machines/component.ts';
import {
  componentPolicies,
  MAX_COMPONENTS,
  type ComponentOptions,
  type ComponentPolicy,
} from '../../machines/component-policy.ts';
import {
  componentId,
  degradationMachine,
  type DegradationEvent,
  type DegradationNotice,
} from '../../machines/degradation.ts';
import { composeQuality, isWorse, levelOf, LEVELS, type DegradationLevel } from '../../machines/quality.ts';

type Snapshot = SnapshotFrom<typeof degradationMachine>;
type Done = {
  readonly type: string;
  readonly params: { readonly notice: DegradationNotice; readonly to?: { id: string }; readonly event?: unknown };
};

const DWELL = { type: 'xstate.after.dwell.degradation.recovering' } as unknown as DegradationEvent;

/** A degradation actor that is stepped by hand. */
class Stepped {
  snapshot: Snapshot;
  last: readonly Done[] = [];

  constructor(components: Record<string, ComponentOptions> = {}, losses: Record<string, readonly number[]> = {}) {
    [this.snapshot] = initialTransition(degradationMachine, {});
    this.configure(componentPolicies(components, losses));
  }

  get context(): Snapshot['context'] {
    return this.snapshot.context;
  }

  get told(): readonly DegradationNotice[] {
    return this.last.filter(({ type }) => type === 'announce').map(({ params }) => params.notice);
  }

  /** To which actors it sent what. */
  get sent(): readonly unknown[] {
    return this.last.filter(({ type }) => type === 'xstate.sendTo').map(({ params }) => [params.to?.id, params.event]);
  }

  /** Whether the time has begun, in this step, after which the level may improve. */
  get startedDwelling(): boolean {
    return this.last.some(({ type }) => type === 'xstate.raise');
  }

  send(event: DegradationEvent): this {
    [this.snapshot, this.last] = transition(degradationMachine, this.snapshot, event) as [Snapshot, readonly Done[]];
    return this;
  }

  configure(components: Record<string, ComponentPolicy>): this {
    return this.send({ type: 'degradation.configure', components, at: 0 });
  }

  change(name: string, status: ComponentStatus, loss: number): this {
    return this.send({ type: 'component.changed', name, status, loss, at: 0 });
  }
}

const levels = (notices: readonly DegradationNotice[]) =>
  notices.flatMap((notice) => (notice.type === 'degradation.changed' ? [notice.level] : []));

describe('the level of the whole', () => {
  test('one critical component of one that runs on its fallback does not read as severe', () => {
    for (const loss of [0.1, 0.3, 0.5, 0.6]) {
      const whole = new Stepped({ api: {} }).change('api', 'degraded', loss);
      expect(isWorse(whole.context.level, 'moderate')).toBe(false);
      expect(whole.context.level).not.toBe('full');
    }
  });

  test('H24: a component with no fallback that is down changes the level, however little it matters', () => {
    const levelWith = (options: ComponentOptions) =>
      new Stepped({ api: options }).change('api', 'down', 1).context.level;
    expect(levelWith({ criticality: 'sheddable' })).toBe('minor');
    expect(levelWith({ criticality: 'sheddable-plus' })).toBe('moderate');
    expect(levelWith({ criticality: 'critical' })).toBe('severe');
    expect(levelWith({ criticality: 'critical-plus' })).toBe('minimal');
    expect(levelWith({ weight: 0.01 })).toBe('minor');
  });

  test('follows a loss at once, and a recovery after it has held', () => {
    const whole = new Stepped({ api: {} }).change('api', 'down', 1);
    expect(whole.told).toMatchObject([
      { type: 'component.changed', name: 'api', status: 'down' },
      { type: 'degradation.changed', level: 'severe', quality: 0.5 },
    ]);
    whole.change('api', 'operational', 0);
    expect(levels(whole.told)).toEqual(['severe']);
    expect(whole.context.quality).toBe(1);
    expect(whole.startedDwelling).toBe(true);
    expect(levels(whole.send(DWELL).told)).toEqual(['full']);
    expect(whole.snapshot.value).toBe('steady');
  });

  test('a component that flaps does not make the level flap, nor put the end of the wait off', () => {
    const whole = new Stepped({ api: {}, lint: { criticality: 'sheddable' } }).change('api', 'down', 1);
    whole.change('api', 'operational', 0);
    whole.change('lint', 'down', 1);
    expect(whole.startedDwelling).toBe(false);
    whole.change('lint', 'operational', 0);
    expect(levels(whole.send(DWELL).told)).toEqual(['minor']);
    expect(whole.snapshot.value).toBe('recovering');
    expect(levels(whole.send(DWELL).told)).toEqual(['full']);
  });

  test('a relapse begins the wait anew', () => {
    const whole = new Stepped({ api: {} }).change('api', 'down', 1).change('api', 'operational', 0);
    whole.change('api', 'down', 1);
    expect(whole.snapshot.value).toBe('steady');
    expect(whole.change('api', 'operational', 0).startedDwelling).toBe(true);
  });
});

describe('the components', () => {
  test('are started once, given new policies, and retired but kept when they are not named any more', () => {
    const whole = new Stepped({ api: {}, db: {} });
    expect(Object.keys(whole.snapshot.children)).toEqual(['component api', 'component db']);
    const { api } = componentPolicies({ api: { weight: 0.2 } });
    whole.configure({ api: api as ComponentPolicy });
    expect(whole.sent).toMatchObject([
      ['component db', { type: 'component.retire', at: 0 }],
      ['component api', { type: 'component.configure', policy: { weight: 0.2 } }],
    ]);
    expect(Object.keys(whole.snapshot.children)).toEqual(['component api', 'component db']);
    expect(whole.context.components['api']).toMatchObject({ weight: 0.2 });
  });

  test('that nobody leans on any more weigh nothing', () => {
    const whole = new Stepped({ api: {} }).change('api', 'down', 1).configure(componentPolicies({ db: {} }));
    expect(levels(whole.told)).toEqual(['severe']);
    expect(whole.context.quality).toBe(1);
    expect(levels(whole.send(DWELL).told)).toEqual(['full']);
  });

  test('make room for others when there are too many, the oldest unnamed first', () => {
    const whole = new Stepped();
    const batch = (from: number) =>
      componentPolicies(Object.fromEntries(Array.from({ length: 15 }, (_, n) => [`c${from + n}`, {}])));
    for (const from of [0, 15, 30, 45]) whole.configure(batch(from));
    const names = Object.keys(whole.context.components);
    expect(names).toHaveLength(MAX_COMPONENTS);
    expect(names[0]).toBe('c20');
    expect(Object.keys(whole.snapshot.children).toSorted()).toEqual(names.map(componentId).toSorted());
  });

  test('are commanded by name, and a command for none of them does nothing', () => {
    const whole = new Stepped({ api: {} });
    whole.send({ type: 'degradation.command', component: 'api', command: 'bypass', at: 4 });
    expect(whole.sent).toEqual([['component api', { type: 'component.bypass', at: 4 }]]);
    for (const component of ['nobody', 'toString', '__proto__']) {
      const before = whole.snapshot;
      whole.send({ type: 'degradation.command', component, command: 'reset', at: 4 });
      expect(whole.snapshot).toBe(before);
    }
  });

  test('as many as there may be, all of them down, leave the context below 4 KB', () => {
    const names = Array.from({ length: MAX_COMPONENTS }, (_, n) => `${'x'.repeat(38)}${10 + n}`);
    const whole = new Stepped(Object.fromEntries(names.map((name) => [name, { weight: 0.25 }])));
    for (const name of names) whole.change(name, 'bypassed', 0.25);
    expect(JSON.stringify(whole.context).length).toBeLessThan(4_096);
  });
});

test('in any order of changes and waits the quality is the product, a loss shows at once, and no gain before it has held', () => {
  const components = { a: {}, b: { criticality: 'sheddable' }, c: { criticality: 'critical-plus' } } as const;
  const step = fc.oneof(
    {
      weight: 4,
      arbitrary: fc.record({ name: fc.constantFrom('a', 'b', 'c'), loss: fc.constantFrom(0, 0.2, 0.5, 1) }),
    },
    { weight: 1, arbitrary: fc.constant('dwell' as const) },
  );
  fc.assert(
    fc.property(fc.array(step, { minLength: 20, maxLength: 60, size: 'max' }), (steps) => {
      const whole = new Stepped(components);
      const losses: Record<string, number> = { a: 0, b: 0, c: 0 };
      // The worst level that was read since the time of waiting began.
      let worst: DegradationLevel = 'full';
      for (const one of steps) {
        const before = whole.context.level;
        const waiting = whole.snapshot.value === 'recovering';
        if (one === 'dwell') {
          if (!waiting) continue;
          whole.send(DWELL);
          expect(whole.context.level).toBe(worst);
        } else {
          losses[one.name] = one.loss;
          whole.change(one.name, one.loss === 0 ? 'operational' : 'degraded', one.loss);
          expect(isWorse(before, whole.context.level)).toBe(false);
        }
        const weighed = Object.entries(losses).map(
          ([name, loss]) => loss * (whole.context.components[name]?.weight ?? 0),
        );
        const { quality, level } = whole.context;
        expect(quality).toBe(composeQuality(weighed));
        const now = levelOf(quality);
        expect(isWorse(now, level)).toBe(false);
        expect(whole.snapshot.value).toBe(isWorse(level, now) ? 'recovering' : 'steady');
        worst = waiting && one !== 'dwell' ? (isWorse(now, worst) ? now : worst) : now;
        expect(LEVELS).toContain(level);
      }
    }),
    { numRuns: 200 },
  );
});

test('a brownout: what is sheddable hears of every level, and so does what comes later', () => {
  const whole = new Stepped({ main: { criticality: 'critical-plus' }, extra: { criticality: 'sheddable' } });
  whole.send({ type: 'component.changed', name: 'main', status: 'down', loss: 1, at: 0 });
  expect(whole.sent).toContainEqual([componentId('extra'), { type: 'component.level', level: 'minimal' }]);
  whole.configure(componentPolicies({ main: { criticality: 'critical-plus' }, later: { criticality: 'sheddable' } }));
  const later = whole.snapshot.children[componentId('later')];
  expect(later?.getSnapshot().context.level).toBe('minimal');
});
