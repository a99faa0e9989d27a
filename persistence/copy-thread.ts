/**
 * Copies a store in a thread of its own, because the last step of a copy writes what SQLite gathered, up to 16 MB, and waits
 * for the disk: on the event loop every turn would wait with it.
 *
 * B1  One transaction reads it all: the copy is one commit, and it ends however much is committed meanwhile.
 * B2  The copy keeps a pace, because commits share the disk with it.
 * B3  The log cannot begin anew while it is read, so it grows by what is committed. Hence a copy may not rest for ever, and
 *     the thread moves the log into the database when it has read, or the next commit would.
 * B4  When the promise of a copy is settled, its thread is over and has let go of both files.
 */
import { createRequire } from 'node:module';
import { Worker } from 'node:worker_threads';
import type { CopyProgress } from './backup.ts';

/** B2: about 25 MB/s, and faster where it would take longer than this. */
const PACE_PAGES_PER_MS = 6.4;
const LONGEST_MS = 10_000;

/** Text, because a thread that begins with a file would need a compiled one. It tells its progress every 10 ms. */
const PROGRAM = `
const { parentPort, workerData: { sqlite, store, target, pages } } = require('node:worker_threads');
const Database = require(sqlite);
const never = new Int32Array(new SharedArrayBuffer(4));

async function copy() {
  const db = new Database(store, { readonly: true });
  try {
    db.exec('begin');
    // The transaction begins with its first read.
    db.prepare('select count(*) from meta').get();
    const began = performance.now();
    let told = -Infinity;
    await db.backup(target, {
      progress: (report) => {
        const { totalPages, remainingPages } = report;
        const now = performance.now();
        if (now >= told + 10) parentPort.postMessage(report), (told = now);
        const pace = Math.max(${PACE_PAGES_PER_MS}, totalPages / ${LONGEST_MS});
        const early = began + (totalPages - remainingPages) / pace - now;
        if (early > 1) Atomics.wait(never, 0, 0, early);
        return pages;
      },
    });
  } finally {
    db.close();
  }
  const log = new Database(store, { fileMustExist: true });
  log.pragma('wal_checkpoint(PASSIVE)');
  log.close();
}

copy().catch((error) => setImmediate(() => { throw error; }));
`;

/** The copies that are being made of one store. */
export class CopyThreads {
  readonly #underWay = new Map<Worker, (reason: Error) => void>();

  /** Copies `store` to `target`. Throws what `progress` throws, what SQLite throws, and the reason of `cancel`. */
  async copy(store: string, target: string, pages: number, progress: (report: CopyProgress) => void): Promise<void> {
    const sqlite = createRequire(import.meta.url).resolve('better-sqlite3');
    const workerData = { sqlite, store, target, pages };
    const thread = new Worker(PROGRAM, { eval: true, name: 'perdure copy', execArgv: [], workerData });
    try {
      await new Promise<void>((resolve, reject) => {
        this.#underWay.set(thread, reject);
        thread.on('message', (report: CopyProgress) => {
          try {
            progress(report);
          } catch (error) {
            reject(error as Error);
          }
        });
        thread.once('error', reject);
        thread.once('exit', (code) => {
          if (code === 0) resolve();
          else reject(new Error(`the thread that copied it ended with code ${code}`));
        });
      });
    } finally {
      this.#underWay.delete(thread);
      await thread.terminate();
    }
  }

  /** Ends all copies. Their threads let go of the store by themselves, also while the caller waits for it. */
  cancel(reason: Error): void {
    for (const [thread, reject] of this.#underWay) {
      reject(reason);
      void thread.terminate();
    }
  }
}
