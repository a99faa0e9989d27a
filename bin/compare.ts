/** `perdure compare`: what changed from one checkpoint to another, also while the store is in use. */
import { checkpointTurn } from '../actors/checkpoint-ledger.ts';
import { compareTurns, type TurnDifference } from '../persistence/compare-turns.ts';
import { Payloads } from '../persistence/payloads.ts';
import { Statements } from '../persistence/rows.ts';
import { openBeside } from '../persistence/sqlite.ts';
import { refuseOld, TREE } from './checkpoint-store.ts';
import { EXIT } from './failure.ts';
import type { RemoteOptions } from './remote.ts';
import { storeOf } from './named-store.ts';
import { readStore } from '../persistence/store-reader.ts';

/** Differences of a table that are named. */
const NAMED = 10;

/** Prints what changed from one checkpoint to another. Throws CHECKPOINT_UNKNOWN. */
export async function compareCheckpoints(
  a: string,
  b: string,
  { store: named, json }: RemoteOptions & { readonly json?: boolean },
): Promise<number> {
  const store = storeOf(named);
  const [from, to] = readStore(store, (rows) => {
    refuseOld(rows, store);
    return [checkpointTurn(rows, a), checkpointTurn(rows, b)] as const;
  });
  const db = openBeside(store, true);
  try {
    const source = { statements: new Statements(db), payloads: new Payloads({}) };
    let count = 0;
    for await (const difference of compareTurns(source, TREE, from, to)) {
      count += 1;
      const text = json === true ? JSON.stringify(difference) : differenceText(difference).join('\n');
      await new Promise<void>((done) => process.stdout.write(`${text}\n`, () => done()));
    }
    if (count === 0 && json !== true) process.stdout.write(`${from} and ${to} are the same\n`);
    return EXIT.ok;
  } finally {
    db.close();
  }
}

function differenceText(difference: TurnDifference): string[] {
  if (difference.kind === 'table') {
    const { table, added, removed, changed, keys } = difference;
    const counts = { added, removed, changed };
    const parts = (['added', 'removed', 'changed'] as const).filter((change) => counts[change] > 0);
    return parts.map((change) => {
      const shown = keys[change].slice(0, NAMED).join(', ');
      return `table ${table}: ${counts[change]} ${change}: ${shown}${counts[change] > NAMED ? ', …' : ''}`;
    });
  }
  const { actor, change, paths, more } = difference;
  const value = (one: unknown) => (one === undefined ? 'nothing' : JSON.stringify(one));
  return [
    `actor ${actor}: ${change}`,
    ...paths.map(({ path, before, after }) => `  ${path}: ${value(before)} -> ${value(after)}`),
    ...(more > 0 ? [`  and ${more} more`] : []),
  ];
}
