/** `perdure history` and `perdure trees`: what happened in a store, and whose it is; also while it is in use. */
import { readHistory, type TurnRecord } from '../persistence/history.ts';
import { Payloads } from '../persistence/payloads.ts';
import { Statements } from '../persistence/rows.ts';
import { refuseOlder, refuseUnknown } from '../persistence/schema.ts';
import { openBeside } from '../persistence/sqlite.ts';
import { storeOf } from './named-store.ts';
import { readStore } from '../persistence/store-reader.ts';
import { textTable } from './text-table.ts';

export interface HistoryCommandOptions {
  readonly tree?: string;
  readonly from?: number;
  readonly json?: boolean;
}

/** Prints the committed turns, the oldest first: a line each, or a JSON document a line. */
export async function printHistory(named: string | undefined, options: HistoryCommandOptions): Promise<number> {
  const store = storeOf(named);
  const db = openBeside(store, true);
  try {
    refuseUnknown(db, store);
    refuseOlder(db, store);
    const payloads = new Payloads({});
    const source = { statements: new Statements(db), payloads, turn: Number.MAX_SAFE_INTEGER, assertOpen: () => {} };
    for await (const turn of readHistory(source, options)) {
      await write(`${options.json === true ? JSON.stringify(turn) : turnText(turn)}\n`);
    }
    return 0;
  } finally {
    db.close();
  }
}

/** Waits while the reader of the output is slower than the store. */
function write(text: string): Promise<void> {
  return new Promise((done) => {
    process.stdout.write(text, () => done());
  });
}

function turnText({ turn, at, causes, changed }: TurnRecord): string {
  const why = causes.map(({ kind, tree, to, event }) => {
    const target = to === undefined ? tree : `${tree}: ${to}`;
    return event === undefined ? `${kind} ${target}` : `${kind} ${event.type} to ${target}`;
  });
  const whom = changed.map(({ tree, actor }) => (actor === tree ? tree : `${tree}: ${actor}`));
  return `${turn}  ${new Date(at).toISOString()}  ${why.join('; ') || 'rows'}  changed ${whom.join(', ') || 'no actor'}`;
}

interface ListedTree {
  readonly id: string;
  /** The name of its machine in the store; null for a tree of createDurableActor. */
  readonly machine: string | null;
  readonly createdAt: number;
  readonly actors: number;
  /** Wall-clock ms; null when no timer waits. */
  readonly nextTimer: number | null;
}

/** Prints the trees of a store. */
export function listTrees(named: string | undefined, { json }: { readonly json?: boolean }): number {
  const trees = readStore(storeOf(named), (rows) => {
    // The column came with schema 2.
    const hasMachine = rows.get(`select 1 from pragma_table_info('trees') where name = 'machine'`) !== undefined;
    return rows.all<ListedTree>(
      `select name as id, ${hasMachine ? 'machine' : 'null as machine'}, created_at as createdAt,
         (select count(*) from actors where actors.tree = trees.tree) as actors,
         (select min(due) from timers where timers.tree = trees.tree) as nextTimer
       from trees order by name`,
    );
  });
  process.stdout.write(json === true ? `${JSON.stringify(trees, null, 2)}\n` : `${treeText(trees).join('\n')}\n`);
  return 0;
}

function treeText(trees: readonly ListedTree[]): string[] {
  if (trees.length === 0) return ['the store holds no trees'];
  return textTable(trees, [
    { title: 'tree', of: ({ id }) => id },
    { title: 'machine', of: ({ machine }) => machine ?? '-' },
    { title: 'actors', of: ({ actors }) => String(actors), align: 'right' },
    { title: 'created', of: ({ createdAt }) => new Date(createdAt).toISOString() },
    { title: 'next timer', of: ({ nextTimer }) => (nextTimer === null ? '-' : new Date(nextTimer).toISOString()) },
  ]);
}
