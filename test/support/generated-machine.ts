import fc from 'fast-check';
import { createMachine, type AnyStateMachine } from 'xstate';

const name = fc
  .oneof(fc.stringMatching(/^[a-z]{1,4}$/), fc.constantFrom('constructor', '__proto__', 'a b', 'é', '"', '<b>', ''))
  .filter((text) => text !== '__proto__' && text !== '');

/** Configs of machines, whose transitions go to any of their states. */
const config = fc.letrec<{ state: object }>((tie) => ({
  state: fc.record({
    type: fc.constantFrom('normal', 'parallel', 'final', 'history'),
    states: fc.oneof(
      { depthSize: 'small', withCrossShrink: true },
      fc.constant({}),
      fc.dictionary(name, tie('state'), { maxKeys: 3 }),
    ),
    on: fc.dictionary(name, fc.nat(), { maxKeys: 3 }),
    after: fc.array(fc.tuple(fc.nat(9), fc.nat()), { maxLength: 2 }),
    always: fc.option(fc.nat(), { nil: undefined }),
    entry: fc.array(name, { maxLength: 2 }),
  }),
})).state;

interface Generated {
  readonly type: string;
  readonly states: Readonly<Record<string, Generated>>;
  readonly on: Readonly<Record<string, number>>;
  readonly after: readonly (readonly [number, number])[];
  readonly always: number | undefined;
  readonly entry: readonly string[];
}

/** A machine whose states have ids `n0`, `n1`, ... so that any can be a target. */
function machineOf(generated: Generated): AnyStateMachine {
  let count = 0;
  const number = (state: Generated): number =>
    Object.values(state.states).reduce((sum, inner) => sum + number(inner), 1);
  const all = number(generated);
  const build = (state: Generated, isRoot: boolean): object => {
    const id = `n${count++}`;
    const keys = Object.keys(state.states);
    const target = (nth: number) => `#n${nth % all}`;
    const transitions = {
      on: Object.fromEntries(
        Object.entries(state.on).map(([event, nth]) => [event, { target: target(nth), guard: event }]),
      ),
      after: Object.fromEntries(state.after.map(([ms, nth]) => [ms, target(nth)])),
      ...(state.always === undefined ? {} : { always: { target: target(state.always), guard: 'g' } }),
      entry: state.entry,
    };
    if (keys.length === 0) {
      const type = isRoot || state.type === 'normal' || state.type === 'parallel' ? {} : { type: state.type };
      return { id, ...type, ...('type' in type ? {} : transitions) };
    }
    const states = Object.fromEntries(keys.map((key) => [key, build(state.states[key] as Generated, false)]));
    return { id, ...transitions, states, ...(state.type === 'parallel' ? { type: 'parallel' } : { initial: keys[0] }) };
  };
  return createMachine(build(generated, true) as never);
}

/** A machine of up to some dozens of states, nested, parallel, with history, whose transitions go to any of them. */
export const generatedMachine = config.map((generated) => machineOf(generated as Generated));
