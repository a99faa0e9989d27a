/**
 * The tree of actors as the rows of a list: what is open, what is searched for, and groups in place of many siblings that are alike.
 *
 * T1  Every actor that matches is reachable: its ancestors are shown, and open while something is searched for.
 * T2  A group stands for siblings of the same logic that are more than `GROUP_ABOVE`; what is selected is always shown.
 */
import type { ActorInfo } from '../../../protocol.ts';
import { valueText } from './configuration.ts';

export type Status = ActorInfo['status'];

/** Siblings of the same logic above which they become one row. */
export const GROUP_ABOVE = 12;

export interface TreeOptions {
  /** Words that an actor's id, state, tags or logic have, all of them. Default: any. */
  readonly text?: string;
  /** Default: every status. */
  readonly statuses?: ReadonlySet<Status>;
  /** Rows that somebody opened or closed, by key. */
  readonly toggled?: ReadonlyMap<string, boolean>;
  readonly selected?: string | null;
}

interface RowBase {
  readonly key: string;
  /** 1 is the root. */
  readonly level: number;
  readonly parentKey: string | null;
  /** Its place among its siblings, from 1, and how many they are. */
  readonly place: number;
  readonly siblings: number;
  /** Null where there is nothing to open. */
  readonly isOpen: boolean | null;
}

export type TreeRow =
  | (RowBase & {
      readonly kind: 'actor';
      readonly info: ActorInfo;
      /** Only shown because of something below it. */
      readonly isPath: boolean;
      readonly below: number;
    })
  | (RowBase & { readonly kind: 'group'; readonly src: string; readonly tally: Readonly<Record<Status, number>> });

const haystacks = new WeakMap<ActorInfo, string>();

/** The text in which an actor is searched. Made once: an actor that changes is another object. */
function haystack(info: ActorInfo): string {
  let text = haystacks.get(info);
  if (text === undefined) {
    const { id, systemId, src, value, status, tags } = info;
    text = [id, systemId, src, valueText(value), status, ...tags].join('\n').toLowerCase();
    haystacks.set(info, text);
  }
  return text;
}

function matcher({ text = '', statuses }: TreeOptions): ((info: ActorInfo) => boolean) | null {
  const words = text.toLowerCase().split(/\s+/).filter(Boolean);
  if (words.length === 0 && (statuses === undefined || statuses.size === 0)) return null;
  return (info) => {
    if (statuses !== undefined && statuses.size > 0 && !statuses.has(info.status)) return false;
    if (words.length === 0) return true;
    const hay = haystack(info);
    return words.every((word) => hay.includes(word));
  };
}

function childrenByParent(registry: Iterable<ActorInfo>): ReadonlyMap<string | null, readonly ActorInfo[]> {
  const byId = new Map<string, ActorInfo>();
  for (const info of registry) byId.set(info.id, info);
  const children = new Map<string | null, ActorInfo[]>();
  for (const info of byId.values()) {
    // An actor whose parent is not known (any more) stands at the top instead of nowhere.
    const parent = info.parent !== null && byId.has(info.parent) ? info.parent : null;
    const siblings = children.get(parent);
    if (siblings === undefined) children.set(parent, [info]);
    else siblings.push(info);
  }
  return children;
}

const noActors: readonly ActorInfo[] = [];

/** The rows of the tree, from above to below. */
export function treeRows(registry: Iterable<ActorInfo>, options: TreeOptions = {}): readonly TreeRow[] {
  const children = childrenByParent(registry);
  const matches = matcher(options);
  const toggled = options.toggled ?? new Map<string, boolean>();
  const selected = options.selected ?? null;
  const wanted = new Set<string>();
  const held = new Set<string>();
  const below = new Map<string, number>();

  // From below: what matches, what is on the way to it, and how many there are under each.
  const survey = (info: ActorInfo): boolean => {
    let isWanted = matches === null || matches(info);
    let count = 0;
    let holds = info.id === selected;
    for (const child of children.get(info.id) ?? noActors) {
      if (survey(child)) isWanted = true;
      if (held.has(child.id)) holds = true;
      count += 1 + (below.get(child.id) ?? 0);
    }
    below.set(info.id, count);
    if (isWanted || holds) wanted.add(info.id);
    if (holds) held.add(info.id);
    return isWanted || holds;
  };
  const roots = children.get(null) ?? noActors;
  for (const root of roots) survey(root);

  const rows: TreeRow[] = [];
  const list = (siblings: readonly ActorInfo[], level: number, parentKey: string | null): void => {
    const shown = siblings.filter(({ id }) => wanted.has(id));
    const entries = grouped(shown, parentKey ?? '');
    entries.forEach((entry, index) => {
      const place = { level, parentKey, place: index + 1, siblings: entries.length };
      if ('members' in entry) {
        const isOpen = toggled.get(entry.key) ?? (matches !== null || entry.members.some(({ id }) => held.has(id)));
        rows.push({ kind: 'group', key: entry.key, ...place, isOpen, src: entry.src, tally: tallyOf(entry.members) });
        if (isOpen) {
          entry.members.forEach((info, at) =>
            add(info, { level: level + 1, parentKey: entry.key, place: at + 1, siblings: entry.members.length }),
          );
        }
      } else add(entry.info, place);
    });
  };
  const add = (info: ActorInfo, place: Pick<RowBase, 'level' | 'parentKey' | 'place' | 'siblings'>): void => {
    const inside = children.get(info.id) ?? noActors;
    const hasShown = inside.some(({ id }) => wanted.has(id));
    const holdsSelected = held.has(info.id) && info.id !== selected;
    const isOpen = hasShown ? (toggled.get(info.id) ?? (matches !== null || holdsSelected || place.level <= 2)) : null;
    const isPath = matches !== null && !matches(info);
    rows.push({
      kind: 'actor',
      key: info.id,
      ...place,
      isOpen,
      info,
      isPath,
      below: below.get(info.id) ?? 0,
    });
    if (isOpen === true) list(inside, place.level + 1, info.id);
  };
  list(roots, 1, null);
  return rows;
}

interface Group {
  readonly key: string;
  readonly src: string;
  readonly members: readonly ActorInfo[];
}

/** Siblings in their order; those of a logic that are many as a group in the place of the first. */
function grouped(siblings: readonly ActorInfo[], parentKey: string): readonly (Group | { info: ActorInfo })[] {
  if (siblings.length <= GROUP_ABOVE) return siblings.map((info) => ({ info }));
  const bySrc = new Map<string, ActorInfo[]>();
  for (const info of siblings) {
    if (info.src === null) continue;
    const alike = bySrc.get(info.src);
    if (alike === undefined) bySrc.set(info.src, [info]);
    else alike.push(info);
  }
  const entries: (Group | { info: ActorInfo })[] = [];
  const done = new Set<string>();
  for (const info of siblings) {
    const alike = info.src === null ? undefined : bySrc.get(info.src);
    if (info.src === null || alike === undefined || alike.length <= GROUP_ABOVE) entries.push({ info });
    else if (!done.has(info.src)) {
      done.add(info.src);
      // No id of an actor has a line end in it.
      entries.push({ key: `${parentKey}\n${info.src}`, src: info.src, members: alike });
    }
  }
  return entries;
}

function tallyOf(members: readonly ActorInfo[]): Record<Status, number> {
  const tally: Record<Status, number> = { active: 0, done: 0, error: 0, stopped: 0 };
  for (const { status } of members) tally[status] += 1;
  return tally;
}

export type TreeKey = 'ArrowUp' | 'ArrowDown' | 'ArrowLeft' | 'ArrowRight' | 'Home' | 'End';

/** Where a key leads in the tree, as ARIA has it: another row, or a row opened or closed. */
export function treeMove(
  rows: readonly TreeRow[],
  key: string | null,
  pressed: TreeKey,
): { readonly focus: string } | { readonly toggle: string; readonly open: boolean } | null {
  const at = rows.findIndex((row) => row.key === key);
  const row = rows[at];
  const to = (index: number) => {
    const target = rows[Math.max(0, Math.min(rows.length - 1, index))];
    return target === undefined ? null : { focus: target.key };
  };
  if (row === undefined) return to(0);
  switch (pressed) {
    case 'ArrowDown':
      return to(at + 1);
    case 'ArrowUp':
      return to(at - 1);
    case 'Home':
      return to(0);
    case 'End':
      return to(rows.length - 1);
    case 'ArrowRight':
      if (row.isOpen === null) return null;
      return row.isOpen ? to(at + 1) : { toggle: row.key, open: true };
    case 'ArrowLeft':
      if (row.isOpen === true) return { toggle: row.key, open: false };
      return row.parentKey === null ? null : { focus: row.parentKey };
  }
}
