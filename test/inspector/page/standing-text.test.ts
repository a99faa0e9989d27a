import { describe, expect, test } from 'vitest';
import { lastChangeAt, standingText } from '../../../inspector/page/frame/standing-text.ts';

describe('what is said of where something is seen from', () => {
  test.each([
    ['Live', { kind: 'server', isLive: true, isStore: true, isOwned: true }],
    ['Run elsewhere', { kind: 'server', isLive: false, isStore: true, isOwned: true }],
    ['Owner gone', { kind: 'server', isLive: false, isStore: true, isOwned: false }],
    ['Stored', { kind: 'server', isLive: false, isStore: true }],
    ['File', { kind: 'server', isLive: false, isStore: false }],
    ['File', { kind: 'file', isLive: false, isStore: false }],
    ['Viewer', { kind: 'viewer', isLive: true, isStore: false }],
  ] as const)('is %s, and moves only where something goes on', (word, seen) => {
    const text = standingText(seen);
    expect(text.word).toBe(word);
    expect(text.beats).toBe(word === 'Live' || word === 'Run elsewhere');
    expect(text.isPast).toBe(['Owner gone', 'Stored', 'File'].includes(word));
  });

  test('has the age of what changed last', () => {
    expect(lastChangeAt([{ changedAt: 3 }, { changedAt: null }, { changedAt: 9 }], { at: 5 })).toBe(9);
    expect(lastChangeAt([], { at: 5 })).toBe(5);
    expect(lastChangeAt([{ changedAt: null }], undefined)).toBe(null);
  });
});
