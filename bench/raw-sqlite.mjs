/** The limit: the same rows written by better-sqlite3 alone, with the durability that Perdure promises. */
import Database from 'better-sqlite3';

const TABLES = `
create table actors(
  id integer primary key, tree integer not null, parent integer, key text not null, src text, system_id text,
  synced integer, machine text, attempt integer not null, snapshot text not null, checksum integer not null,
  from_turn integer not null
) strict;
create table accepted(id text primary key, tree integer not null, turn integer not null, at integer not null)
  strict, without rowid;
`;

/** A database with a number of actor rows and nothing else. */
export class RawSqlite {
  #db;
  #begin;
  #commit;
  #update;
  #accept;
  #turn = 0;

  /**
   * @param {string} path
   * @param {number} actors
   */
  constructor(path, actors) {
    this.#db = new Database(path);
    this.#db.pragma('journal_mode = WAL');
    this.#db.pragma('synchronous = FULL');
    this.#db.pragma('cache_size = -65536');
    this.#db.exec(TABLES);
    this.#fill(actors);
    this.#begin = this.#db.prepare('begin immediate');
    this.#commit = this.#db.prepare('commit');
    this.#update = this.#db.prepare(
      'update actors set attempt = ?, snapshot = ?, checksum = ?, from_turn = ? where id = ?',
    );
    this.#accept = this.#db.prepare('insert into accepted values (?, ?, ?, ?) on conflict(id) do nothing');
  }

  /**
   * Commits once, with an update of each of the actor rows and an insert of each of the message ids.
   * @param {readonly number[]} actors
   * @param {readonly string[]} ids
   */
  commit(actors, ids = []) {
    this.#turn += 1;
    this.#begin.run();
    for (const id of ids) this.#accept.run(id, 1, this.#turn, 1_800_000_000_000);
    for (const id of actors) this.#update.run(0, snapshot(this.#turn), 3_000_000_000, this.#turn, id);
    this.#commit.run();
  }

  close() {
    this.#db.close();
  }

  /** @param {number} actors */
  #fill(actors) {
    const insert = this.#db.prepare('insert into actors values (?, 1, 2, ?, ?, null, null, ?, 0, ?, 3000000000, 1)');
    const fill = this.#db.transaction(() => {
      for (let id = 1; id <= actors; id++) insert.run(id, `l${id % 1_000}`, 'leaf', 'counter', snapshot(0));
    });
    fill();
  }
}

/**
 * What the row of a counter holds.
 * @param {number} n
 */
function snapshot(n) {
  return `{"status":"active","value":{},"historyValue":{},"context":{"n":${n}}}`;
}
