/** From where it is that we see something, and whether anything goes on there. Pure. */
import type { Tone } from '../tone.ts';

export interface Seen {
  /** Of the feed. */
  readonly kind: 'server' | 'viewer' | 'file';
  /** The process whose actors these are answers itself. */
  readonly isLive: boolean;
  /** There is a store's file. */
  readonly isStore: boolean;
  /** Whether a process owns the store; undefined where that is not known. */
  readonly isOwned?: boolean | undefined;
}

export interface StandingText {
  readonly tone: Tone;
  /** A word, or two. */
  readonly word: string;
  /** What it means, in a sentence. */
  readonly help: string;
  /** Things go on as they are seen. */
  readonly beats: boolean;
  /** What is seen is of some time ago, which has to be said. */
  readonly isPast: boolean;
}

/** What is said of an open connection. */
export function standingText({ kind, isLive, isStore, isOwned }: Seen): StandingText {
  if (kind === 'viewer') {
    return { tone: 'ok', word: 'Viewer', help: 'Shown is what another page tells.', beats: false, isPast: false };
  }
  if (kind === 'server' && isLive) {
    return { tone: 'ok', word: 'Live', help: 'Events come as they happen.', beats: true, isPast: false };
  }
  if (kind === 'file' || !isStore) {
    const help = 'Shown is an exported history: nothing in it changes.';
    return { tone: 'waiting', word: 'File', help, beats: false, isPast: true };
  }
  if (isOwned === true) {
    const help = 'Another process runs it; this one reads the file of its store, a moment later.';
    return { tone: 'ok', word: 'Run elsewhere', help, beats: true, isPast: false };
  }
  if (isOwned === false) {
    const help = 'No process runs this store now: shown is what its owner left.';
    return { tone: 'degraded', word: 'Owner gone', help, beats: false, isPast: true };
  }
  const help = 'Read from the file of a store; whether a process runs it is not known.';
  return { tone: 'waiting', word: 'Stored', help, beats: false, isPast: true };
}

/** When something changed last, ms since 1970; null where nothing says so. */
export function lastChangeAt(
  actors: Iterable<{ readonly changedAt: number | null }>,
  newest: { readonly at: number } | undefined,
): number | null {
  let last = newest?.at ?? null;
  for (const { changedAt } of actors) if (changedAt !== null && (last === null || changedAt > last)) last = changedAt;
  return last;
}
