import { expect, test } from 'vitest';
import { isPerdureError, supervise } from '../../index.ts';
import { bossMachine } from '../support/supervised.ts';

const machine = bossMachine({});
const good = { strategy: 'one_for_one', children: { worker: {} } } as const;

test.each([
  ['strategy', { ...good, strategy: 'all_for_one' }],
  ['intensity', { ...good, intensity: -1 }],
  ['intensity', { ...good, intensity: 1.5 }],
  ['intensity', { ...good, intensity: Number.POSITIVE_INFINITY }],
  ['periodMs', { ...good, periodMs: 0 }],
  ['periodMs', { ...good, periodMs: Number.NaN }],
  ['children', { strategy: 'one_for_one' }],
  ['children.nobody', { ...good, children: { nobody: {} } }],
  ['children.toString', { ...good, children: { toString: {} } }],
  ['children.worker.restart', { ...good, children: { worker: { restart: 'always' } } }],
  ['children.worker.from', { ...good, children: { worker: { from: 'start' } } }],
  ['children.worker.shutdown', { ...good, children: { worker: { shutdown: -1 } } }],
  ['children.worker.shutdown', { ...good, children: { worker: { shutdown: 'kill' } } }],
])('a bad `%s` is refused by its name', (option, options) => {
  let refusal: unknown;
  try {
    supervise(machine, options as never);
  } catch (error) {
    refusal = error;
  }
  expect(isPerdureError(refusal, 'OPTIONS_INVALID')).toBe(true);
  expect((refusal as { facts: object }).facts).toMatchObject({ option });
});

test('what is no machine is refused', () => {
  expect(() => supervise({} as typeof machine, good)).toThrow(/must be an XState machine/);
});
