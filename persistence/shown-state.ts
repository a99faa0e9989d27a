/** What of a stored state may be shown: redacted as the value that it is, so that maps and errors hide what records do. */
import { createEmptyActor } from 'xstate';
import { decode, encode, type Refs } from './codec.ts';
import { isBranch, steps } from './json-difference.ts';
import type { Payloads } from './payloads.ts';
import { REDACTED } from './secrets.ts';
import type { AnyRef } from './xstate-port.ts';

/** The text of a row, as JSON, without its secrets. One that cannot be shown at all is `[redacted]`. Throws ROW_CORRUPT. */
export function shownState(payloads: Payloads, text: string): unknown {
  const refs = references();
  const value = decode(text, refs);
  try {
    return JSON.parse(payloads.secrets.redactText(encode(payloads.shown(value), refs, 'what is shown', Infinity)));
  } catch {
    return REDACTED;
  }
}

/** References are what they were: the same ids. */
function references(): Refs {
  const ids = new Map<AnyRef, number>();
  return {
    idOf: (ref) => ids.get(ref),
    refOf(id) {
      const ref = createEmptyActor();
      ids.set(ref, id);
      return ref;
    },
  };
}

/** What may be shown of a place in a state: what took the place of it, or of a part around it. */
export function shownAt(state: unknown, shown: unknown, path: string): unknown {
  let [found, seen] = [state, shown];
  for (const step of steps(path)) {
    if (!isBranch(found) || !Object.hasOwn(found, step)) return undefined;
    if (!isBranch(seen)) return seen;
    [found, seen] = [found[step], Object.hasOwn(seen, step) ? seen[step] : REDACTED];
  }
  return seen;
}
