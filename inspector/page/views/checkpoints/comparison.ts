/** What changed between two turns, as it is told: in one sentence, and by actor and table. */
import type { ActorDifference, TableDifference } from '../../../../persistence/compare-turns.ts';
import { plural } from '../../format.ts';
import type { Comparison } from '../../../views/past.ts';

export interface ChangeCounts {
  readonly added: number;
  readonly removed: number;
  readonly changed: number;
}

export interface ReadComparison {
  /** Those that came, then those that went, then those that changed, each in the order of their paths. */
  readonly actors: readonly ActorDifference[];
  /** The one with the most rows that differ first. */
  readonly tables: readonly TableDifference[];
  readonly counts: ChangeCounts;
  readonly rows: ChangeCounts;
}

const ORDER = ['added', 'removed', 'changed'] as const;

export function readComparison({ differences }: Pick<Comparison, 'differences'>): ReadComparison {
  const actors = differences.filter((one) => one.kind === 'actor');
  const tables = differences.filter((one) => one.kind === 'table');
  const counted = (change: (typeof ORDER)[number]) => actors.filter((one) => one.change === change).length;
  const rows = (change: (typeof ORDER)[number]) => tables.reduce((sum, table) => sum + table[change], 0);
  return {
    actors: actors.sort((a, b) => ORDER.indexOf(a.change) - ORDER.indexOf(b.change) || a.actor.localeCompare(b.actor)),
    tables: tables.sort((a, b) => sizeOf(b) - sizeOf(a) || a.table.localeCompare(b.table)),
    counts: { added: counted('added'), removed: counted('removed'), changed: counted('changed') },
    rows: { added: rows('added'), removed: rows('removed'), changed: rows('changed') },
  };
}

function sizeOf({ added, removed, changed }: ChangeCounts): number {
  return added + removed + changed;
}

/** `3 actors changed, 1 came and 2 went; 12 rows differ in 2 tables`. */
export function comparisonText({ counts, rows, tables }: Pick<ReadComparison, 'counts' | 'rows' | 'tables'>): string {
  const actors = [
    counted(counts.changed, 'actor', 'changed'),
    counted(counts.added, 'actor', 'came'),
    counted(counts.removed, 'actor', 'went'),
  ].filter((part) => part !== '');
  const inTables =
    sizeOf(rows) === 0
      ? []
      : [
          `${plural(sizeOf(rows), 'row')} ${sizeOf(rows) === 1 ? 'differs' : 'differ'} in ${plural(tables.length, 'table')}`,
        ];
  const parts = [...(actors.length === 0 ? [] : [listed(actors)]), ...inTables];
  return parts.length === 0 ? 'nothing differs' : parts.join('; ');
}

function counted(n: number, noun: string, verb: string): string {
  return n === 0 ? '' : `${plural(n, noun)} ${verb}`;
}

function listed(parts: readonly string[]): string {
  return parts.length < 2 ? parts.join('') : `${parts.slice(0, -1).join(', ')} and ${parts.at(-1)}`;
}

/** A JSON pointer as people write a place: `context.items[0].name`. */
export function placeText(path: string): string {
  if (path === '') return 'everything';
  const steps = path
    .split('/')
    .slice(1)
    .map((part) => part.replaceAll('~1', '/').replaceAll('~0', '~'));
  return steps.reduce((text, step) => {
    if (/^\d+$/.test(step) && text !== '') return `${text}[${step}]`;
    if (!/^[\w$-]+$/.test(step)) return `${text}[${JSON.stringify(step)}]`;
    return text === '' ? step : `${text}.${step}`;
  }, '');
}
