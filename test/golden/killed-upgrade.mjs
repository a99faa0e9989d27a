/** Upgrades a store by the build in `dist`, and is killed before the statement of the given number: `node ... store.db 12`. */
import Database from 'better-sqlite3';
import { upgrade } from '../../dist/persistence/upgrades.js';

const [path, last] = process.argv.slice(2);
const db = new Database(path);
db.pragma('journal_mode = WAL');
// What is changed reaches the disk before the commit.
db.pragma('cache_size = 1');
let statement = 0;
const counted = new Proxy(db, {
  get(target, name) {
    const value = Reflect.get(target, name);
    if (typeof value !== 'function') return value;
    if (name === 'exec' || name === 'prepare' || name === 'pragma') statement += 1;
    if (statement === Number(last)) process.kill(process.pid, 'SIGKILL');
    return value.bind(target);
  },
});
upgrade(counted);
