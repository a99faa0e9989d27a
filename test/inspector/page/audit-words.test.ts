import { expect, test } from 'vitest';
import { askedText, noteOf } from '../../../inspector/page/views/audit/audit-words.ts';

test('a decision is told with whom it is about and what was noted', () => {
  const event = { type: 'supervisor.decide', id: 'upgrade:1/deploy?1', decision: 'deny', note: 'not tonight' };
  expect(askedText({ command: 'deny', event })).toBe('deny upgrade:1/deploy?1');
  expect(noteOf({ event })).toBe('not tonight');
  expect(noteOf({ event: { ...event, note: null } })).toBe(null);
});

test('a command is told by its name, or by its event, with all that it is about', () => {
  expect(askedText({ command: 'requeue', event: { type: 'supervisor.requeue', ids: ['a', 'b'] } })).toBe(
    'requeue a, b',
  );
  expect(askedText({ command: null, event: { type: 'order.pay' } })).toBe('order.pay');
});
