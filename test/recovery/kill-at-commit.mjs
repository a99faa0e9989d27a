/**
 * Loaded before the command line by `--import`: kills the process at its Nth commit, before SQLite is asked for it or after
 * it has answered. `KILL_AT` is such as `before:7`.
 */
import Database from 'better-sqlite3';

const [side, at] = (process.env['KILL_AT'] ?? '').split(':');
const { prepare } = Database.prototype;
let commits = 0;

/** @param {string} now */
function killIfDue(now) {
  if (now === side && commits === Number(at)) process.kill(process.pid, 'SIGKILL');
}

/** @this {Database.Database} @param {string} sql */
function prepareCounting(sql) {
  const statement = prepare.call(this, sql);
  if (sql.trim().toLowerCase() !== 'commit') return statement;
  const run = /** @type {() => unknown} */ (statement.run.bind(statement));
  return Object.defineProperty(statement, 'run', {
    value: () => {
      commits += 1;
      killIfDue('before');
      const result = run();
      killIfDue('after');
      return result;
    },
  });
}

Object.assign(Database.prototype, { prepare: prepareCounting });
