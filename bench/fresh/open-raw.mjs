import { RawSqlite } from '../raw-sqlite.mjs';

const [path = ''] = process.argv.slice(2);
const began = performance.now();
const raw = new RawSqlite(path, 1);
console.log(performance.now() - began);
raw.close();
