import { expect, test } from 'vitest';
import { LiveText } from '../../bin/terminal.ts';

test('a terminal that reports no size is taken for one of 80 by 24', () => {
  const write = () => true;
  expect(new LiveText({ write, isTTY: true, columns: 0, rows: 0 }).size).toEqual({ columns: 80, rows: 24 });
  expect(new LiveText({ write }).size).toEqual({ columns: 80, rows: 24 });
  expect(new LiveText({ write, isTTY: true, columns: 132, rows: 50 }).size).toEqual({ columns: 132, rows: 50 });
});
