/**
 * Opens an old store with the build in `dist`, and is killed before the statement of the given number of its upgrade:
 * `node ... store.db 12`.
 */
import Database from 'better-sqlite3';
import { Store } from 'perdure';

const [path = '', last] = process.argv.slice(2);
const { transaction } = Database.prototype;
let statement = 0;

/** @param {'exec' | 'prepare' | 'pragma'} name */
function count(name) {
  /** @type {(this: Database.Database, ...given: any[]) => any} */
  const original = Database.prototype[name];
  Object.assign(Database.prototype, {
    /** @this {Database.Database} @param {unknown[]} given */
    [name](...given) {
      statement += 1;
      if (statement === Number(last)) process.kill(process.pid, 'SIGKILL');
      return original.apply(this, given);
    },
  });
}

/**
 * The first transaction is that of the upgrade.
 * @this {Database.Database} @param {() => void} steps
 */
function transactionCounting(steps) {
  Object.assign(Database.prototype, { transaction });
  // What is changed reaches the disk before the commit.
  this.pragma('cache_size = 1');
  count('exec');
  count('prepare');
  count('pragma');
  return transaction.call(this, steps);
}

Object.assign(Database.prototype, { transaction: transactionCounting });
Store.open(path);
