/** What a host misspells or gets out of range is refused before anything runs, and says where. */
import { inspect } from 'node:util';
import { expect, onTestFinished, test, vi } from 'vitest';
import { defineAction } from '../../actors/actions.ts';
import { spawnSupervisor, type SupervisorOptions } from '../../actors/spawn.ts';
import type { Supervisor } from '../../actors/supervisor.ts';
import { RETRY_PRESETS } from '../../machines/retry.ts';
import { tempStore } from '../support/temp.ts';

const echo = defineAction({ run: (input: unknown) => input });
const lean = defineAction({ run: (input: unknown) => input, component: 'db' });
const asking = defineAction({ run: () => 'done', impact: 'critical', reversible: false });
const quiet = defineAction({ run: () => 1, summary: (() => undefined) as never });
const later = defineAction({ run: () => 1, summary: (async () => 'late') as never });
const broken = defineAction({
  run: () => 1,
  summary: () => {
    throw new TypeError('no table');
  },
});
const actions = { echo, lean, asking, quiet, later, broken };
type Any = Supervisor<typeof actions>;

const start = (options: object) =>
  spawnSupervisor({ store: tempStore(), actions: { echo }, ...options } as SupervisorOptions<{ echo: typeof echo }>);
const define = (more: object) => ({ actions: { a: { run: () => 1, ...more } } });
const component = (a: unknown) => ({ components: { a } });
const run = () => 1;

const AT_THE_START: readonly (readonly [object, string])[] = [
  [component({ breaker: 5 }), 'components.a.breaker must be an object, or null or false for none, got 5.'],
  [component({ breaker: true }), 'components.a.breaker must be an object, or null or false for none, got true.'],
  [component({ breaker: { windwo: 3 } }), 'components.a.breaker has no option "windwo" (did you mean "window"?).'],
  [component({ retryBudget: 'x' }), 'components.a.retryBudget must be an object, or null or false for none, got "x".'],
  [component({ retryBudget: { rato: 1 } }), 'components.a.retryBudget has no option "rato" (did you mean "ratio"?).'],
  [component({ retryBudget: { ratio: 2 } }), 'components.a.retryBudget.ratio must be a number from 0 to 1, got 2.'],
  [component({ braeker: {} }), 'The component "a": has no option "braeker" (did you mean "breaker"?).'],
  [component({ fallback: {} }), 'The component "a": has no option "fallback" (did you mean "fallbacks"?).'],
  [component({ fallbacks: { b: null } }), 'The component "a": the fallback "b" needs a function `run`, got null.'],
  [component(null), 'The component "a": must be an object, got null.'],
  [{ components: 'x' }, 'components: must be an object, got "x".'],
  [{ components: null }, 'components: must be an object, got null.'],
  [{ budget: 'x' }, 'budget must be an object, such as { slo: 0.9 }, got "x".'],
  [{ budget: null }, 'budget must be an object, such as { slo: 0.9 }, got null.'],
  [{ budget: { slow: 0.9 } }, 'budget of the kind "slo" has no option "slow" (did you mean "slo"?).'],
  [
    { budget: { perHour: 4 } },
    'budget of the kind "slo" has no option "perHour" (expected one of kind, slo, periodMs, windows, minEvents, exitRatio, dwellMs).',
  ],
  [{ budget: { slo: '0.9' } }, 'budget.slo must be a number above 0 and below 1, got "0.9".'],
  [
    { budget: { windows: [null] } },
    'budget.windows[0] must be an object with fraction, longMs, shortMs, tier, got null.',
  ],
  [{ budget: { windows: 3 } }, 'budget.windows must be an array of 1 to 8 pairs of windows, got 3.'],
  [{ actions: null }, 'actions: must be an object, got null.'],
  [
    { actions: { a: { run: () => 1, prepare: () => 2 } } },
    'The action "a": has `prepare`, which only a `thread` needs.',
  ],
  [{ actions: { a: null } }, 'The action "a": needs a function `run`: use defineAction({ run }), got null.'],
  [{ actions: { '': { run } } }, 'The action "": the name of an action is a text of 1 to 300 whole characters, got 0.'],
  [
    { actions: { ['x'.repeat(301)]: { run } } },
    'the name of an action is a text of 1 to 300 whole characters, got 301.',
  ],
  [define({ retrys: {} }), 'The action "a": has no option "retrys" (did you mean "retry"?).'],
  [define({ retry: { attempts: 0 } }), 'The action "a": retry.attempts must be a whole number from 1, got 0.'],
  [define({ retry: { atempts: 2 } }), 'The action "a": retry has no option "atempts" (did you mean "attempts"?).'],
  [define({ retry: 3 }), 'The action "a": retry must be an object with attempts, delayMs, capMs, got 3.'],
  [define({ retry: { delayMs: Infinity } }), 'retry.delayMs must be milliseconds from 0 to 2147483647, got Infinity.'],
  [define({ retry: { delayMs: NaN } }), 'retry.delayMs must be milliseconds from 0 to 2147483647, got NaN.'],
  [define({ retry: { capMs: Infinity } }), 'retry.capMs must be milliseconds from 0 to 2147483647, got Infinity.'],
  [define({ impact: 'x' }), 'The action "a": impact must be one of low, medium, high, critical, got "x".'],
  [define({ qualityFloor: 5 }), 'The action "a": qualityFloor must be a number from 0 to 1, got 5.'],
  [define({ approval: { silence: 'deny' } }), 'The action "a": `approval` needs afterMs, when silence is an answer.'],
  [define({ approval: { afterMs: 5 } }), 'approval.silence must be one of wait, approve, deny, got undefined.'],
  [define({ approval: 'deny' }), 'approval must be an object with silence, afterMs, got "deny".'],
  [define({ summary: 'x' }), 'The action "a": summary must be a function, got "x".'],
  [define({ classify: {} }), 'The action "a": classify must be a function, got an object.'],
  [define({ reversible: 'no' }), 'The action "a": reversible must be true or false, got "no".'],
  [define({ reversible: null }), 'The action "a": reversible must be true or false, got null.'],
  [define({ timeoutMs: '5' }), 'The action "a": timeoutMs must be milliseconds above 0 and up to 2147483647, got "5".'],
  [define({ version: 2 }), 'The action "a": version must be a text, got 2.'],
  [define({ fallback: null }), 'The action "a": fallbacks are functions, by name, got null.'],
  [define({ fallback: { b: { run, owed: true } } }), 'the fallback "b": has no option "owed" (did you mean "owes"?).'],
  [{ classify: 5 }, 'classify must be a function, got 5.'],
  [{ onApproval: 'approve' }, 'onApproval must be a function, got "approve".'],
];

test.each(
  AT_THE_START.map(([options, message]) => [inspect(options, { depth: 4 }).slice(0, 80), options, message] as const),
)('refuses at the start %s', async (_, options, message) => {
  const error: unknown = await start(options).catch((thrown: unknown) => thrown);
  expect(error).toMatchObject({ code: 'OPTIONS_INVALID', message: expect.stringContaining(message) as string });
});

const LATER: readonly (readonly [string, string, (supervisor: Any) => Promise<unknown>])[] = [
  [
    'no options',
    'The options of an action "echo": must be an object, got null.',
    (s) => s.submit('echo', 1, null as never),
  ],
  ['no plan', 'The options of a plan: must be an object, got null.', (s) => s.plan(null as never)],
  [
    'a misspelled override',
    'has no option "retyr" (did you mean "retry"?).',
    (s) => s.submit('echo', 1, { retyr: {} } as never),
  ],
  [
    'a misspelled key of a step',
    'The step "a": has no option "componet" (did you mean "component"?).',
    (s) => s.plan({ steps: [{ id: 'a', action: 'echo', componet: 'db' } as never] }),
  ],
  [
    'a component that nobody declared',
    'The action "echo": component must be one of db, got "bd": declare it in `components` of the supervisor.',
    (s) => s.submit('echo', 1, { component: 'bd' }),
  ],
  [
    'a component that is no name',
    'component must be the name of one, got 5.',
    (s) => s.submit('echo', 1, { component: 5 as never }),
  ],
  [
    'an optional that is neither',
    'optional must be true or false, got "no".',
    (s) => s.submit('echo', 1, { optional: 'no' as never }),
  ],
  ['a retry that is a number', 'retry must be an object with', (s) => s.submit('echo', 1, { retry: 3 as never })],
  [
    'a time limit of null',
    'timeoutMs must not be null: leave it out.',
    (s) => s.submit('echo', 1, { timeoutMs: null as never }),
  ],
  [
    'a signal that is none',
    'signal must be an AbortSignal, got an object.',
    (s) => s.submit('echo', 1, { signal: {} as never }),
  ],
  [
    'a fallback of null',
    'the fallback "f" must be an object',
    (s) => s.submit('echo', 1, { fallback: { f: null as never } }),
  ],
  [
    'a summary of nothing',
    'The action "quiet": its summary must return a text, got undefined.',
    (s) => s.submit('quiet', 1 as never),
  ],
  [
    'a summary that is promised',
    'The action "later": its summary must return a text, got an object.',
    (s) => s.submit('later', 1 as never),
  ],
  [
    'a summary that throws',
    'The action "broken": its summary must return a text, but it threw: no table',
    (s) => s.submit('broken', 1 as never),
  ],
  [
    'an answer of null',
    'The answer to an approval must be an object such as { by, note }, got null.',
    (s) => s.approve('it', null as never),
  ],
  [
    'a long name',
    'needs a `by` of 1 to 100 characters, got 101 characters: "xxx',
    (s) => s.deny('it', { by: 'x'.repeat(101) }),
  ],
  [
    'a long note',
    'may have a `note` of up to 2000 characters, got 2001 characters: "xxx',
    (s) => s.approve('it', { note: 'x'.repeat(2_001) }),
  ],
];

test.each(LATER)('refuses %s, and goes on', async (_, message, ask) => {
  await using supervisor = await spawnSupervisor({ store: tempStore(), actions });
  const handle = await supervisor.submit('asking', undefined as never, { id: 'it' });
  const error: unknown = await ask(supervisor).catch((thrown: unknown) => thrown);
  expect(error).toMatchObject({ code: 'OPTIONS_INVALID', message: expect.stringContaining(message) as string });
  await vi.waitFor(() => expect(supervisor.approvals()).toHaveLength(1));
  await supervisor.approve('it', { by: 'x'.repeat(100), note: 'x'.repeat(2_000) });
  expect(await handle.outcome).toMatchObject({ kind: 'ok' });
});

test('a step that is none is named as such', async () => {
  await using supervisor = await spawnSupervisor({ store: tempStore(), actions });
  await expect(supervisor.plan({ steps: [null as never] })).rejects.toMatchObject({ code: 'PLAN_INVALID' });
  await expect(supervisor.plan({ steps: [{ action: 'echo' } as never] })).rejects.toMatchObject({
    code: 'PLAN_INVALID',
  });
});

test('what is right is not refused: false for no breaker, a preset, an action made by a class', async () => {
  class Mail {
    readonly sent: string[] = [];
    readonly retry = RETRY_PRESETS.network;
    run(to: string): number {
      return this.sent.push(to);
    }
  }
  await using supervisor = await spawnSupervisor({
    store: tempStore(),
    actions: { mail: new Mail(), fail: defineAction({ run: (): void => void JSON.parse('{'), component: 'a' }) },
    components: { a: { breaker: false, retryBudget: false } },
  });
  expect(await supervisor.execute('mail', 'ann')).toMatchObject({ kind: 'ok', value: 1 });
  for (let n = 0; n < 8; n++)
    expect(await supervisor.execute('fail', undefined as never)).toMatchObject({ error: { name: 'SyntaxError' } });
});

test.each([
  [
    'throws',
    (): never => {
      throw new Error('bad classifier');
    },
    'bad classifier',
  ],
  ['rejects', () => Promise.reject(new Error('late')) as never, 'got a promise'],
  ['answers what is no class', () => 'fatal' as never, 'got "fatal"'],
] as const)('a classify that %s is told as a warning with a code, and has said nothing', async (_, classify, why) => {
  const heard: (Error & { code?: string })[] = [];
  const listener = (warning: Error) => void heard.push(warning);
  process.on('warning', listener);
  onTestFinished(() => void process.off('warning', listener));
  const fail = defineAction({
    run: (): void => {
      throw new Error('down');
    },
    classify,
  });
  await using supervisor = await spawnSupervisor({ store: tempStore(), actions: { fail } });
  expect(await supervisor.execute('fail', undefined as never)).toMatchObject({ error: { class: 'transient' } });
  await vi.waitFor(() => expect(heard).toHaveLength(1));
  expect(heard[0]).toMatchObject({
    name: 'PerdureWarning',
    code: 'CLASSIFY_FAILED',
    message: expect.stringContaining(why) as string,
  });
});
