/** The limit of the pipeline: the rows of its actions written by better-sqlite3 alone, in as many commits. */
import Database from 'better-sqlite3';

const TABLES = `
create table actions(
  seq integer primary key, id text not null unique, name text not null, input text not null, policy text not null,
  rank real not null, state text not null, slot integer, submitted_at real not null, started_at real, settled_at real,
  kind text, value text, attempts integer not null
) strict;
create index actions_waiting on actions(rank desc, seq) where state = 'waiting';
create index actions_running on actions(slot) where state = 'running';
create table action_history(name text primary key, ok integer not null, mean_ms real) strict;
create table budget_buckets(bucket integer primary key, good real not null, bad real not null) strict;
`;

/** As long as that of an action without options. */
const POLICY = JSON.stringify({ policy: 'p'.repeat(400) });
const AT = 1_800_000_000_000;

/** A queue that nobody decides for. */
export class RawActions {
  #db;
  #begin;
  #commit;
  #insert;
  #claim;
  #settle;
  #count;
  #charge;

  /** @param {string} path */
  constructor(path) {
    this.#db = new Database(path);
    this.#db.pragma('journal_mode = WAL');
    this.#db.pragma('synchronous = FULL');
    this.#db.pragma('cache_size = -65536');
    this.#db.exec(TABLES);
    this.#begin = this.#db.prepare('begin immediate');
    this.#commit = this.#db.prepare('commit');
    this.#insert = this.#db.prepare(
      `insert into actions(id, name, input, policy, rank, state, submitted_at, attempts) values (?, 'noop', 'null', ?, 0, 'waiting', ?, 0)`,
    );
    this.#claim = this.#db.prepare(
      `update actions set state = 'running', slot = ?, started_at = ?, attempts = 1 where id = ?`,
    );
    this.#settle = this.#db.prepare(
      `update actions set state = 'settled', slot = null, settled_at = ?, kind = 'ok', value = 'null' where id = ?`,
    );
    this.#count = this.#db.prepare(
      `insert into action_history values ('noop', 1, ?) on conflict do update set ok = ok + 1, mean_ms = excluded.mean_ms`,
    );
    this.#charge = this.#db.prepare(
      'insert into budget_buckets values (?, 1, 0) on conflict do update set good = good + 1',
    );
  }

  /**
   * Runs actions together, which takes two commits: they are queued and claimed in one, and settled in the other.
   * @param {readonly string[]} ids
   */
  run(ids) {
    this.#begin.run();
    for (const id of ids) this.#insert.run(id, POLICY, AT);
    for (const [slot, id] of ids.entries()) this.#claim.run(slot, AT, id);
    this.#commit.run();
    this.#begin.run();
    for (const id of ids) {
      this.#settle.run(AT, id);
      this.#count.run(0.1);
      this.#charge.run(AT);
    }
    this.#commit.run();
  }

  close() {
    this.#db.close();
  }
}
