import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { initialTransition, transition, type AnyActorRef, type SnapshotFrom } from 'xstate';
import { DEFAULT_BREAKER, type BreakerPolicy } from '../../machines/breaker.ts';
import {
  componentMachine,
  componentReport,
  type ComponentAnswer,
  type ComponentCommand,
  type ComponentEvent,
  type ComponentNotice,
} from '../../machines/component.ts';
import { componentPolicyOf, type ComponentOptions, type ComponentPolicy } from '../../machines/component-policy.ts';

type Snapshot = SnapshotFrom<typeof componentMachine>;
type Timer = 'openFor' | 'giveUp';
type Sent = { readonly type: string; readonly params: { readonly event: ComponentAnswer } };
type Told = { readonly type: string; readonly params: { readonly notice: ComponentNotice } };

const asker = { id: 'asker', send: () => {} } as unknown as AnyActorRef;
const TIMERS = {
  openFor: 'xstate.after.openFor.component.open',
  giveUp: 'xstate.after.giveUp.component.probing.full',
} as const;

interface Permit {
  readonly probe: boolean;
  readonly generation: number;
}

/** A component that is stepped by hand. */
class Stepped {
  snapshot: Snapshot;
  last: readonly unknown[] = [];

  constructor(options: ComponentOptions = {}, losses: readonly number[] = []) {
    const policy = componentPolicyOf('api', options, losses);
    [this.snapshot] = initialTransition(componentMachine, { name: 'api', policy });
  }

  get state(): string {
    const { value } = this.snapshot;
    return typeof value === 'string' ? value : 'probing';
  }

  get context(): Snapshot['context'] {
    return this.snapshot.context;
  }

  get told(): readonly ComponentNotice[] {
    return (this.last as Told[]).filter(({ type }) => type === 'announce').map(({ params }) => params.notice);
  }

  /** The delay of the timer that was set in the last step. */
  get dueIn(): number | undefined {
    return (this.last as { type: string; params: { delay: number } }[]).find(({ type }) => type === 'xstate.raise')
      ?.params.delay;
  }

  send(event: ComponentEvent): this {
    [this.snapshot, this.last] = transition(componentMachine, this.snapshot, event);
    return this;
  }

  ask(retry = false, at?: number): ComponentAnswer {
    this.send({ type: 'component.ask', asker, retry, ...(at === undefined ? {} : { at }) });
    const answers = (this.last as Sent[])
      .filter(({ type }) => type === 'xstate.sendTo')
      .map(({ params }) => params.event);
    expect(answers).toHaveLength(1);
    return answers[0] as ComponentAnswer;
  }

  permit(retry = false): Permit {
    const answer = this.ask(retry);
    if (answer.type !== 'action.permitted') throw new Error(`expected a permit, got ${answer.reason}`);
    return answer;
  }

  /** Undefined when the permit was refused. */
  tryPermit(retry = false): Permit | undefined {
    const answer = this.ask(retry);
    return answer.type === 'action.permitted' ? answer : undefined;
  }

  fail({ probe, generation }: Permit, at = 0, errorClass = 'transient', durationMs = 1): this {
    return this.send({ type: 'component.failed', probe, generation, durationMs, at, class: errorClass });
  }

  succeed({ probe, generation }: Permit, at = 0, durationMs = 1): this {
    return this.send({ type: 'component.succeeded', probe, generation, durationMs, at });
  }

  release({ probe, generation }: Permit): this {
    return this.send({ type: 'component.released', probe, generation });
  }

  command(command: ComponentCommand, at = 0): this {
    return this.send({ type: `component.${command}`, at });
  }

  configure(policy: ComponentPolicy, at: number): this {
    return this.send({ type: 'component.configure', policy, at });
  }

  due(timer: Timer): this {
    return this.send({ type: TIMERS[timer] } as unknown as ComponentEvent);
  }

  /** Fails until it opens, which it must. */
  open(at = 0): this {
    for (let call = 0; call < 20 && this.state === 'operational'; call++) this.fail(this.permit(), at);
    expect(this.state).toBe('open');
    return this;
  }
}

describe('a component', () => {
  test('S21: ten operations that always fail open it once, and the rest is refused without a call', () => {
    const component = new Stepped();
    const answers = Array.from({ length: 10 }, (_, at) => {
      const answer = component.ask(false, at);
      if (answer.type === 'action.permitted') component.fail(answer, at);
      return answer.type;
    });
    expect(answers.filter((type) => type === 'action.permitted')).toHaveLength(5);
    expect(answers.filter((type) => type === 'action.refused')).toHaveLength(5);
    expect(component.context.opens).toBe(1);
    expect(component.ask(false, 1_004)).toEqual({
      type: 'action.refused',
      reason: 'open',
      openUntil: 60_004,
      retryAfterMs: 59_000,
      at: 1_004,
    });
    expect(component.due('openFor').permit().probe).toBe(true);
  });

  test('whoever asks when the open time is over probes, also if the timer has not told yet', () => {
    const component = new Stepped();
    for (let n = 0; n < 5; n++) component.fail(component.permit(), 4);
    expect(component.ask(false, 60_003)).toMatchObject({ type: 'action.refused', reason: 'open', retryAfterMs: 1 });
    expect(component.ask(false, 60_004)).toMatchObject({ type: 'action.permitted', probe: true });
    expect(component.told.map(({ status }) => status)).toEqual(['probing']);
    expect(component.ask(false, 60_004)).toMatchObject({ type: 'action.refused', reason: 'probing' });
  });

  test('S31: a call that fails may be retried, as long as the retry budget lasts', () => {
    const component = new Stepped({ retryBudget: { ratio: 0, burst: 2 } });
    component.fail(component.permit());
    component.fail(component.permit(true));
    component.fail(component.permit(true));
    expect(component.ask(true)).toMatchObject({ type: 'action.refused', reason: 'retryBudget', retryAfterMs: 0 });
    expect(componentReport(component.snapshot)).toMatchObject({ calls: { total: 3, failed: 3 }, retriesLeft: 0 });
  });

  test('I10: a retry that probes takes from the retry budget as well, and is refused when there is nothing left', () => {
    const component = new Stepped({ retryBudget: { ratio: 0, burst: 1 } }).open().due('openFor');
    component.release(component.permit(true));
    expect(component.ask(true)).toMatchObject({ reason: 'retryBudget' });
    expect(component.permit().probe).toBe(true);
  });

  test('H8: while it is probed exactly so many calls are out as it may be probed with', () => {
    for (const probes of [1, 3]) {
      const component = new Stepped({ breaker: { probes } }).open().due('openFor');
      const answers = Array.from({ length: 50 }, () => component.ask());
      expect(answers.filter(({ type }) => type === 'action.permitted')).toHaveLength(probes);
      expect(answers.at(-1)).toMatchObject({ reason: 'probing', openUntil: null });
    }
  });

  test('H9: when everything fails, attempts stay within the requests, their ratio and the burst', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 60 }),
        fc.integer({ min: 1, max: 8 }),
        fc.constantFrom(null, undefined),
        (requests, tries, breaker) => {
          const component = new Stepped(breaker === null ? { breaker } : {});
          let attempts = 0;
          for (let request = 0; request < requests; request++) {
            for (let attempt = 0; attempt < tries; attempt++) {
              const permit = component.tryPermit(attempt > 0);
              if (permit === undefined) break;
              attempts++;
              component.fail(permit);
            }
          }
          expect(attempts).toBeLessThanOrEqual(1.2 * requests + 10 + 1e-9);
        },
      ),
    );
  });

  test('H24: it is probed, and back once that succeeded', () => {
    const component = new Stepped({}, [0.3]).open(1_000);
    expect(component.told).toEqual([
      { type: 'component.changed', name: 'api', status: 'degraded', loss: 0.3, at: 1_000, openUntil: 61_000 },
    ]);
    component.due('openFor');
    expect(component.told).toEqual([
      { type: 'component.changed', name: 'api', status: 'probing', loss: 0, at: 61_000 },
    ]);
    component.succeed(component.permit(), 61_500);
    expect(component.told).toEqual([
      { type: 'component.changed', name: 'api', status: 'operational', loss: 0, at: 61_500 },
    ]);
    expect(component.permit().probe).toBe(false);
  });

  test('H24: without a fallback it is down, and all is lost', () => {
    expect(new Stepped().open(7).told).toEqual([
      { type: 'component.changed', name: 'api', status: 'down', loss: 1, at: 7, openUntil: 60_007 },
    ]);
  });

  test('stays open for longer after each probe that fails, and for the first time again once it was back', () => {
    const component = new Stepped().open();
    const times = [component.dueIn];
    for (let probing = 0; probing < 4; probing++) {
      component.due('openFor');
      component.fail(component.permit());
      times.push(component.dueIn);
    }
    expect(times).toEqual([60_000, 120_000, 240_000, 480_000, 600_000]);
    component.due('openFor');
    component.succeed(component.permit());
    expect(component.open().context).toMatchObject({ openForMs: 60_000, opens: 6 });
  });

  test('needs as many successes in a row as it was told', () => {
    const component = new Stepped({ breaker: { successes: 2 } }).open().due('openFor');
    component.succeed(component.permit());
    expect(component.state).toBe('probing');
    component.fail(component.permit());
    component.due('openFor');
    component.succeed(component.permit());
    expect(component.state).toBe('probing');
    component.succeed(component.permit());
    expect(component.state).toBe('operational');
  });

  test('a crowd of late time-outs does not open what has just been proved', () => {
    const component = new Stepped();
    const crowd = Array.from({ length: 64 }, () => component.permit());
    for (const permit of crowd.slice(0, 5)) component.fail(permit, 0, 'timeout');
    component.due('openFor');
    component.succeed(component.permit());
    for (const permit of crowd.slice(5)) component.fail(permit, 0, 'timeout');
    expect(component.state).toBe('operational');
    expect(component.context.calls).toBe('');
  });

  test('late successes do not close what is open', () => {
    const component = new Stepped();
    const early = component.permit();
    component.open().succeed(early);
    expect(component.state).toBe('open');
    component.due('openFor').succeed(early);
    expect(component.state).toBe('probing');
  });

  test('a probe of an earlier probing proves nothing, and holds its place until it reports', () => {
    const component = new Stepped({ breaker: { probes: 2 } }).open().due('openFor');
    const slow = component.permit();
    component.fail(component.permit());
    component.due('openFor');
    const next = component.permit();
    expect(component.ask()).toMatchObject({ reason: 'probing' });
    component.succeed(slow);
    expect(component.state).toBe('probing');
    component.permit();
    component.succeed(next);
    expect(component.state).toBe('operational');
  });

  test('a probe that does not report is given up: another may try, and only one', () => {
    const component = new Stepped().open().due('openFor');
    const given = component.permit();
    expect(component.dueIn).toBe(DEFAULT_BREAKER.maxOpenMs);
    component.due('giveUp').permit();
    component.release(given);
    expect(component.ask()).toMatchObject({ reason: 'probing' });
  });

  test('a probe that was given up and succeeds after all proves as well as another', () => {
    const component = new Stepped().open().due('openFor');
    const given = component.permit();
    component.due('giveUp').succeed(given);
    expect(component.state).toBe('operational');
  });

  test('what says nothing of the dependency neither opens nor closes it, and frees its place', () => {
    const component = new Stepped();
    for (let call = 0; call < 30; call++) {
      component.fail(component.permit(), 0, (['permanent', 'programmer', 'cancelled'] as const)[call % 3]);
      component.release(component.permit());
    }
    expect(component.context.calls).toBe('');
    component.open().due('openFor');
    component.release(component.permit());
    component.fail(component.permit(), 0, 'permanent');
    expect(component.state).toBe('probing');
    component.succeed(component.permit());
    expect(component.state).toBe('operational');
  });

  test('opens for slow calls, and is not back as long as the probe is slow', () => {
    const component = new Stepped({ breaker: { slowCallMs: 100 } });
    for (let call = 0; call < 5; call++) component.succeed(component.permit(), 0, 101);
    expect(component.state).toBe('open');
    component.due('openFor');
    component.succeed(component.permit(), 0, 101);
    expect(component.state).toBe('open');
    component.due('openFor');
    component.succeed(component.permit(), 0, 100);
    expect(component.state).toBe('operational');
  });

  test('is never called while it is bypassed, and is as new when it is restored', () => {
    const component = new Stepped();
    const early = component.permit();
    component.command('bypass', 3);
    expect(component.told).toMatchObject([{ status: 'bypassed', loss: 1, at: 3 }]);
    expect(component.ask()).toMatchObject({ reason: 'bypassed', openUntil: null, retryAfterMs: 0 });
    expect(component.command('bypass', 4).told).toEqual([]);
    component.command('restore', 5);
    expect(component.told).toMatchObject([{ status: 'operational', loss: 0, at: 5 }]);
    component.fail(early);
    expect(component.context.calls).toBe('');
  });

  test('a reset closes it and fills the retry budget', () => {
    const component = new Stepped({ retryBudget: { ratio: 0, burst: 1 } });
    component.release(component.permit(true));
    component.open().command('reset', 1);
    expect(component.permit(true).probe).toBe(false);
  });

  test('is probed by who asks before it has opened: the clock was set back', () => {
    const component = new Stepped().open(100_000);
    expect(component.ask(false, 100_000)).toMatchObject({ type: 'action.refused', reason: 'open' });
    expect(component.ask(false, 99_999)).toMatchObject({ type: 'action.permitted', probe: true });
    expect(component.state).toBe('probing');
  });

  test.each(['operational', 'open', 'probing', 'bypassed'])(
    'that is retired while it is %s refuses nobody and opens no more, until it is configured again',
    (state) => {
      const component = new Stepped();
      const { policy } = component.context;
      if (state === 'open' || state === 'probing') component.open();
      if (state === 'probing') component.due('openFor');
      if (state === 'bypassed') component.command('bypass', 3);
      component.send({ type: 'component.retire', at: 7 });
      expect(component.told).toMatchObject(state === 'operational' ? [] : [{ status: 'operational', loss: 0, at: 7 }]);
      for (let call = 0; call < 50; call++) component.fail(component.permit());
      expect(component.send({ type: 'component.retire', at: 8 }).told).toEqual([]);
      component.configure(policy, 9).open();
    },
  );

  test('is open no longer than a new policy says, if that opens for a shorter time', () => {
    const policyOf = (openMs: number, maxOpenMs: number) =>
      componentPolicyOf('api', { breaker: { openMs, maxOpenMs } });
    const component = new Stepped().open(1_000);
    expect(component.configure(policyOf(60_000, 90_000), 2_000).dueIn).toBeUndefined();
    expect(component.context.openUntil).toBe(61_000);
    expect(component.configure(policyOf(30_000, 90_000), 3_000).dueIn).toBe(30_000);
    expect(component.told).toMatchObject([{ status: 'down', openUntil: 33_000 }]);
    expect(component.configure(policyOf(10, 100), 32_999).dueIn).toBe(10);
    expect(component.context.openUntil).toBe(33_000);
    expect(component.due('openFor').state).toBe('probing');
  });

  test('a new policy counts at once: without a breaker it is closed, with a fallback it is no longer down', () => {
    const component = new Stepped().open();
    const policy = componentPolicyOf('api', {}, [0.2]);
    component.configure(policy, 9);
    expect(component.told).toMatchObject([{ status: 'degraded', loss: 0.2, at: 9 }]);
    component.configure({ ...policy, breaker: null }, 10);
    expect(component.told).toMatchObject([{ status: 'operational', loss: 0, at: 10 }]);
    for (let call = 0; call < 50; call++) component.fail(component.permit());
    expect(component.state).toBe('operational');
  });

  test('a new retry budget begins full, and a smaller one loses what is above it', () => {
    const component = new Stepped({ retryBudget: null });
    for (const burst of [4, 2]) {
      component.configure(componentPolicyOf('api', { retryBudget: { burst } }), 0);
      expect(componentReport(component.snapshot).retriesLeft).toBe(burst);
    }
  });

  test('a stricter policy opens it at the next call that says something, and not before', () => {
    const component = new Stepped();
    for (let call = 0; call < 4; call++) component.fail(component.permit());
    component.configure(componentPolicyOf('api', { breaker: { minCalls: 2 } }), 0);
    component.fail(component.permit(), 0, 'permanent');
    expect(component.state).toBe('operational');
    component.fail(component.permit());
    expect(component.state).toBe('open');
  });

  test('writes nothing for what changes nothing: a refusal, and a success after nothing but successes', () => {
    const component = new Stepped();
    for (let call = 0; call < 20; call++) component.succeed(component.permit());
    const before = component.snapshot;
    component.succeed(component.permit());
    expect(component.snapshot).toBe(before);
    const open = component.open().snapshot;
    component.ask();
    expect(component.snapshot).toBe(open);
  });
});

const breaker: fc.Arbitrary<Partial<BreakerPolicy>> = fc.record({
  window: fc.integer({ min: 2, max: 6 }),
  minCalls: fc.integer({ min: 1, max: 2 }),
  slowCallMs: fc.constantFrom(null, 10),
  openFactor: fc.constantFrom(1, 2, 5),
  probes: fc.integer({ min: 1, max: 3 }),
  successes: fc.integer({ min: 1, max: 3 }),
});
const options: fc.Arbitrary<ComponentOptions> = fc.record({
  breaker,
  retryBudget: fc.record({ ratio: fc.constantFrom(0, 0.2, 0.5), burst: fc.nat(4) }),
});

type How = 'good' | 'slow' | 'bad' | 'silent' | 'released';
type Move =
  | { readonly ask: 'first' | 'retry' }
  | { readonly end: number; readonly how: How }
  | { readonly due: Timer }
  | { readonly command: 'bypass' | 'restore' | 'reset' };

const how = fc.constantFrom<How>('good', 'slow', 'bad', 'silent', 'released');
const move: fc.Arbitrary<Move> = fc.oneof(
  { weight: 8, arbitrary: fc.record({ ask: fc.constantFrom('first', 'retry') }) },
  { weight: 8, arbitrary: fc.record({ end: fc.nat(20), how }) },
  { weight: 4, arbitrary: fc.record({ due: fc.constantFrom<Timer>('openFor', 'openFor', 'openFor', 'giveUp') }) },
  { weight: 1, arbitrary: fc.record({ command: fc.constantFrom('bypass', 'restore', 'restore', 'reset') }) },
) as fc.Arbitrary<Move>;

/** Long enough to open, to be probed and to close several times. */
const WALK = { minLength: 40, maxLength: 120, size: 'max' } as const;
const walk = fc.array(move, WALK);

function end(component: Stepped, permit: Permit, way: How): void {
  if (way === 'released') component.release(permit);
  else if (way === 'silent') component.fail(permit, 0, 'permanent');
  else if (way === 'bad') component.fail(permit);
  else component.succeed(permit, 0, way === 'slow' ? 11 : 10);
}

/** What must hold of every walk, told apart from the machine: who is out, since when, and what was paid in. */
class Model {
  readonly component: Stepped;
  readonly policy: ComponentPolicy & { readonly breaker: BreakerPolicy };
  out: (Permit & { readonly opens: number; givenUp: boolean })[] = [];
  requests = 0;
  retries = 0;
  resets = 0;
  openings = 0;

  constructor(component: Stepped) {
    this.component = component;
    this.policy = component.context.policy as Model['policy'];
  }

  get probesOut(): number {
    return this.out.filter(({ probe, givenUp }) => probe && !givenUp).length;
  }

  take(one: Move): void {
    const { component } = this;
    const before = component.state;
    let returned: (typeof this.out)[number] | undefined;
    let went: How | undefined;
    if ('ask' in one) this.ask(one.ask === 'retry');
    else if ('end' in one) {
      returned = this.out.splice(one.end % Math.max(1, this.out.length), 1)[0];
      went = one.how;
      if (returned !== undefined) end(component, returned, one.how);
    } else if ('due' in one) this.due(one.due);
    else {
      component.command(one.command);
      if (one.command === 'reset') this.resets++;
    }
    this.judge(one, before, returned, went);
  }

  ask(retry: boolean): void {
    const { component, policy } = this;
    const [state, probesOut] = [component.state, this.probesOut];
    const answer = component.ask(retry);
    if (answer.type === 'action.refused') {
      if (answer.reason === 'retryBudget') expect(retry).toBe(true);
      return;
    }
    expect(state === 'operational' || state === 'probing', 'I9: nobody is permitted while it is closed off').toBe(true);
    expect(answer.probe).toBe(state === 'probing');
    if (answer.probe) expect(probesOut, 'I9: a place was free').toBeLessThan(policy.breaker.probes);
    this.out.push({ ...answer, opens: this.openings, givenUp: false });
    if (retry) this.retries++;
    else this.requests++;
  }

  due(timer: Timer): void {
    const { component } = this;
    const { value } = component.snapshot;
    if (timer === 'openFor' && value === 'open') component.due(timer);
    if (timer === 'giveUp' && typeof value === 'object' && value.probing === 'full') {
      component.due(timer);
      for (const one of this.out) one.givenUp ||= one.probe;
    }
  }

  judge(one: Move, before: string, returned: Model['out'][number] | undefined, went: How | undefined): void {
    const { component, policy } = this;
    const { state, context } = component;
    if (before === 'probing' && state === 'operational' && !('command' in one)) {
      expect(returned?.probe).toBe(true);
      expect(went === 'good' || (went === 'slow' && policy.breaker.slowCallMs === null)).toBe(true);
      expect(returned?.opens, 'it was permitted after the last opening').toBe(this.openings);
    }
    if (before === 'open' && state === 'probing') expect(one).toEqual({ due: 'openFor' });
    if (before === 'open' && state === 'operational') expect(one).toHaveProperty('command');
    if (before !== 'open' && state === 'open') this.openings++;
    expect(context.opens).toBe(this.openings);
    expect(context.openForMs).toBeLessThanOrEqual(policy.breaker.maxOpenMs);
    const { ratio, burst } = policy.retryBudget as { ratio: number; burst: number };
    expect(this.retries, 'I10').toBeLessThanOrEqual(ratio * this.requests + burst * (1 + this.resets) + 1e-9);
    expect(JSON.stringify(context).length).toBeLessThan(4_096);
  }
}

describe('in any order of asks, results, timers and commands', () => {
  test('I9, I10: nobody is permitted while it is open, no more than the probes while it is probed, retries in budget', () => {
    fc.assert(
      fc.property(options, walk, (given, moves) => {
        const model = new Model(new Stepped(given));
        for (const one of moves) {
          model.take(one);
          expect(model.component.context.probesOut).toBe(model.probesOut);
        }
      }),
      { numRuns: 120 },
    );
  });

  test('no result that nobody waits for makes the count of probes negative, or lets more through than one each', () => {
    const stray = fc.record({ probe: fc.boolean(), generation: fc.nat(6), how });
    fc.assert(
      fc.property(
        options,
        fc.array(fc.oneof({ weight: 4, arbitrary: move }, { weight: 1, arbitrary: stray }), WALK),
        (given, moves) => {
          const component = new Stepped(given);
          const out: Permit[] = [];
          for (const one of moves) {
            const { state } = component;
            if ('ask' in one) {
              const permit = component.tryPermit(one.ask === 'retry');
              if (permit === undefined) continue;
              expect(state === 'operational' || state === 'probing').toBe(true);
              out.push(permit);
            } else if ('probe' in one) end(component, one, one.how);
            else if ('end' in one) out.splice(0, 1).forEach((permit) => end(component, permit, one.how));
            else if ('due' in one) component.due(one.due);
            else component.command(one.command);
            const { probesOut, policy } = component.context;
            expect(probesOut).toBeGreaterThanOrEqual(0);
            expect(probesOut).toBeLessThanOrEqual((policy.breaker as BreakerPolicy).probes);
          }
        },
      ),
      { numRuns: 120 },
    );
  });

  test('whatever happened, a dependency that works again comes back into use', () => {
    fc.assert(
      fc.property(options, walk, (given, moves) => {
        const model = new Model(new Stepped(given));
        for (const one of moves) model.take(one);
        const { component } = model;
        if (component.state === 'bypassed') component.command('restore', 0);
        if (component.state === 'open') component.due('openFor');
        for (let call = 0; call < 4 && component.state === 'probing'; call++) {
          // Who is out may have died with its permit.
          const permit = component.tryPermit() ?? component.due('giveUp').permit();
          component.succeed(permit);
        }
        expect(component.state).toBe('operational');
      }),
      { numRuns: 120 },
    );
  });

  test('the same walk gives the same states', () => {
    fc.assert(
      fc.property(options, walk, (given, moves) => {
        const [one, other] = [new Model(new Stepped(given)), new Model(new Stepped(given))];
        for (const step of moves) {
          one.take(step);
          other.take(step);
          expect(one.component.context).toEqual(other.component.context);
        }
      }),
      { numRuns: 30 },
    );
  });
});

test('a context with the longest window there may be stays below 4 KB', () => {
  const component = new Stepped({ breaker: { ...DEFAULT_BREAKER, window: 1_000, failureRate: 1 } });
  for (let call = 0; call < 1_100; call++) {
    if (call % 2 === 0) component.fail(component.permit());
    else component.succeed(component.permit());
  }
  expect(component.context.calls).toHaveLength(1_000);
  expect(JSON.stringify(component.context).length).toBeLessThan(4_096);
});

test('in a brownout what is sheddable refuses, and what is critical does not; it ends with the bad level', () => {
  const extra = new Stepped({ criticality: 'sheddable' });
  const main = new Stepped({ criticality: 'critical' });
  for (const one of [extra, main]) one.send({ type: 'component.level', level: 'minimal' });
  expect(extra.ask()).toMatchObject({ type: 'action.refused', reason: 'shed' });
  expect(main.ask()).toMatchObject({ type: 'action.permitted' });
  extra.send({ type: 'component.level', level: 'minor' });
  expect(extra.ask()).toMatchObject({ type: 'action.permitted' });
});
