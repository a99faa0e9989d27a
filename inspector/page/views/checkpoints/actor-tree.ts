/** The actors of a turn as rows of a tree. Pure. */
import type { ActorInfo } from '../../../protocol.ts';

export interface ActorRow {
  readonly actor: ActorInfo;
  readonly depth: number;
}

/** Children below their parents, in their order; with a text only those that have it, and what they are in. */
export function actorRows(actors: readonly ActorInfo[], text: string): ActorRow[] {
  const known = new Set(actors.map(({ id }) => id));
  const children = new Map<string | null, ActorInfo[]>();
  for (const actor of actors) {
    // One whose parent is not told is shown as a root: nothing is left out.
    const parent = actor.parent !== null && known.has(actor.parent) && actor.parent !== actor.id ? actor.parent : null;
    const siblings = children.get(parent);
    if (siblings === undefined) children.set(parent, [actor]);
    else siblings.push(actor);
  }
  const rows: ActorRow[] = [];
  const open = (children.get(null) ?? []).map((actor) => ({ actor, depth: 0 })).reverse();
  for (let row = open.pop(); row !== undefined; row = open.pop()) {
    rows.push(row);
    const below = children.get(row.actor.id) ?? [];
    for (const actor of below.toReversed()) open.push({ actor, depth: row.depth + 1 });
  }
  return text.trim() === '' ? rows : matching(rows, text.trim().toLowerCase());
}

function matching(rows: readonly ActorRow[], text: string): ActorRow[] {
  const shown: ActorRow[] = [];
  // From the end, so that what a row is in comes after it.
  let above = -1;
  for (const row of rows.toReversed()) {
    const { id, src, value } = row.actor;
    const isFound = [id, src ?? '', stateText(value)].some((word) => word.toLowerCase().includes(text));
    if (!isFound && row.depth !== above) continue;
    shown.push(row);
    above = row.depth - 1;
  }
  return shown.reverse();
}

/** The value of a state in one line: `running.trying`, `a.b | c`; the empty text for what is no machine. */
export function stateText(value: unknown): string {
  if (typeof value === 'string') return value;
  if (typeof value !== 'object' || value === null) return '';
  return Object.entries(value)
    .map(([key, child]) => {
      const inner = stateText(child);
      return inner === '' ? key : inner.includes(' | ') ? `${key}(${inner})` : `${key}.${inner}`;
    })
    .join(' | ');
}
