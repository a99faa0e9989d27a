import fc from 'fast-check';
import { expect, test } from 'vitest';
import { initialTransition, transition } from 'xstate';
import { PROFILER_MODES, profilerMachine, type ProfilerCommand, type ProfilerNotice } from '../../machines/profiler.ts';

const machine = profilerMachine;

function after(events: readonly ProfilerCommand[]) {
  let [state] = initialTransition(machine);
  const notices: ProfilerNotice[] = [];
  for (const event of events) {
    const [next, actions] = transition(machine, state, event);
    state = next;
    for (const { type, params } of actions)
      if (type === 'announce') notices.push((params as { notice: ProfilerNotice }).notice);
  }
  return { state, notices };
}

test('it is in the mode that was asked for last, and tells only of changes', () => {
  fc.assert(
    fc.property(fc.array(fc.constantFrom(...PROFILER_MODES)), (modes) => {
      const { state, notices } = after(modes.map((mode, at) => ({ type: 'profiler.configure', mode, at })));
      expect(state.value).toBe(modes.at(-1) ?? 'sampling');
      const changes = modes.filter((mode, at) => mode !== (modes[at - 1] ?? 'sampling'));
      expect(notices.map((notice) => (notice.type === 'profiler.changed' ? notice.mode : undefined))).toEqual(changes);
    }),
  );
});

test('a run that was slower is told in any mode, and no more than counted', () => {
  const found = { plan: 'nightly:5', name: 'nightly', operations: [{ path: ['build'], ratio: 2 }], at: 7 } as const;
  const { state, notices } = after([
    { type: 'profiler.configure', mode: 'off', at: 1 },
    { type: 'profiler.found', ...found },
  ]);
  expect(notices.at(-1)).toEqual({ type: 'profiler.regressed', ...found });
  expect(state.context).toEqual({ regressed: 1 });
});
