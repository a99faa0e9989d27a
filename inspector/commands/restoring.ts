/**
 * The command that goes back to a checkpoint: with the owner of the store, which takes its time and is gone as it was when that is
 * done; or as the owner when nobody is.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { firstWhole, restorableTurns } from '../../actors/restorable.ts';
import { countUnderWay } from '../../actors/restored.ts';
import { busyError, epochOf, REFUSED, refuseShared, restoredText } from '../../actors/restorer.ts';
import { TABLES } from '../../actors/spawn.ts';
import { isPerdureError, messageOf, PerdureError, type PerdureErrorCode } from '../../errors.ts';
import type { RestoreRequest } from '../../machines/checkpoint-state.ts';
import { refusalIn, withdrawCommand } from '../../persistence/commands.ts';
import { restoreAsleep } from '../../persistence/restore-asleep.ts';
import type { Store } from '../../persistence/store.ts';
import { CHECKPOINT_ID } from './asking-checkpoints.ts';
import type { Done, Occasion, Reader, Undertaking } from './asking.ts';
import { leave } from './digest.ts';
import type { Place } from './place.ts';

/** How long the owner may take for a restore that it has begun. */
const RESTORED_WITHIN_MS = 60_000;
const LOOK_EVERY_MS = 50;

export const restoring: Undertaking = {
  help: 'Goes back to a checkpoint: what is there now becomes a checkpoint too, so that this can be undone.',
  confirm: true,
  isOfSupervisor: true,
  params: [
    { name: 'id', kind: 'text', required: true, help: CHECKPOINT_ID },
    { name: 'force', kind: 'flag', required: false, help: 'also while actions are under way: they are interrupted' },
  ],
  async undertake(occasion, place) {
    const turns = place.read((rows) => {
      refuseShared(rows);
      return restorableTurns(rows, occasion.params.text('id'));
    });
    const force = occasion.params.flag('force');
    const skipped: string[] = [];
    const restore = (turn: number) => {
      // One that follows is another request: the one before was refused.
      const request = skipped.length === 0 ? occasion.id : `${occasion.id}/${skipped.length + 1}`;
      return new Restore(place, { turn, force, request }, occasion).run();
    };
    const done = await firstWhole(turns, restore, (error) => {
      skipped.push(`${messageOf(error)} The one before it is tried.`);
    });
    return done && { ...done, message: [...skipped, done.message].join('\n') };
  },
  /** Its owner writes into the row how it ended, unless the process ended before: then the name of the turn before tells. */
  outcome(rows, { at }, { turn }) {
    if (typeof turn !== 'number') return undefined;
    const sql = `select turn from checkpoints where at >= ? and reason = 'restore' and detail = ? order by turn limit 1`;
    const before = rows.get<{ turn: number }>(sql, at, JSON.stringify({ to: turn }))?.turn;
    return before === undefined ? undefined : restoredText(turn, before);
  },
};

interface Standing {
  readonly generation: number;
  readonly restored: number | null;
  readonly epoch: number;
}

/** One turn that is gone back to. */
class Restore {
  readonly #place: Place;
  readonly #asked: RestoreRequest;
  readonly #by: Pick<Occasion, 'by' | 'digest'>;

  constructor(place: Place, asked: RestoreRequest, by: Pick<Occasion, 'by' | 'digest'>) {
    this.#place = place;
    this.#asked = asked;
    this.#by = by;
  }

  async run(): Promise<Done | undefined> {
    return (await this.#asleep()) ?? this.#ask();
  }

  /** As the owner, when nobody is. What was asked for is not done again. */
  async #asleep(): Promise<Done | undefined> {
    const { turn, request } = this.#asked;
    const before = await this.#place.whenFree(async (store) => {
      withdrawCommand(store.rows, request, store.clock.now());
      try {
        return await restoreAsleep(store, this.#place.tree, turn, goesBack(store));
      } catch (error) {
        if (isPerdureError(error, 'KEY_UNKNOWN')) throw withoutKeys(error);
        if (isPerdureError(error, 'CHECKPOINT_DAMAGED')) this.#noteRefused(store, error);
        throw error;
      }
    });
    return before === undefined ? undefined : this.#done(before);
  }

  /** Who owns the store would note it, too. */
  #noteRefused(store: Store, error: PerdureError): void {
    const { tree } = store.rows.get<{ tree: number }>('select tree from trees where name = ?', this.#place.tree) ?? {};
    const detail = `${error.message} [${error.code}]`;
    store.incident({ kind: REFUSED, detail, actor: this.#asked.request, ...(tree === undefined ? {} : { tree }) });
  }

  async #ask(): Promise<Done | undefined> {
    const place = this.#place;
    const { turn, force, request } = this.#asked;
    const since = place.read((rows) => {
      const running = countUnderWay(rows);
      if (!force && running > 0) throw busyError(turn, running);
      return this.#standing(rows);
    });
    const event = { type: 'supervisor.restore', turn, force, request, epoch: since.epoch } as const;
    const { by, digest } = this.#by;
    place.spare(turn);
    await leave(place, { id: request, tree: place.tree, actor: '', event, by, command: 'restore', digest });
    const refused = refusalIn((await place.answered(request))?.answer ?? '');
    if (refused !== undefined) throw new PerdureError(refused.code ?? 'RESTORE_WITHDRAWN', refused.message);
    return this.#outcome(since);
  }

  async #outcome(since: Standing): Promise<Done | undefined> {
    const until = performance.now() + RESTORED_WITHIN_MS;
    while (performance.now() < until) {
      const now = this.#place.read((rows) => ({ ...this.#standing(rows), refused: this.#refusal(rows) }));
      if (now.refused !== undefined) throw this.#refusedError(now.refused);
      if (now.generation !== since.generation) return this.#done((now.restored ?? 1) - 1);
      if (now.epoch !== since.epoch || !this.#place.isOwned()) return this.#unasked();
      await sleep(LOOK_EVERY_MS);
    }
    return undefined;
  }

  /** The owner that was asked is gone; another one refuses what that was asked. */
  async #unasked(): Promise<Done> {
    const done = await this.#asleep();
    if (done !== undefined) return done;
    const { turn } = this.#asked;
    const { path } = this.#place;
    throw new PerdureError(
      'RESTORE_WITHDRAWN',
      `Turn ${turn} was not restored: the owner of ${path} that was asked has ended, and there is another. Ask again.`,
      { facts: { turn, path } },
    );
  }

  #done(before: number): Done {
    const { turn } = this.#asked;
    return {
      message: restoredText(turn, before),
      data: { turn, before: String(before) },
    };
  }

  #standing(rows: Reader): Standing {
    const sql = 'select generation, restored from trees where name = ?';
    const row = rows.get<Omit<Standing, 'epoch'>>(sql, this.#place.tree);
    return { ...(row ?? { generation: 0, restored: null }), epoch: epochOf(rows) };
  }

  #refusal(rows: Reader): string | undefined {
    const sql = 'select detail from incidents where kind = ? and actor = ?';
    return rows.get<{ detail: string }>(sql, REFUSED, this.#asked.request)?.detail;
  }

  /** What the owner noted ends with the code. */
  #refusedError(detail: string): PerdureError {
    const [, message = detail, code = 'CHECKPOINT_DAMAGED'] = /^(.*) \[(\w+)\]$/s.exec(detail) ?? [];
    return new PerdureError(code as PerdureErrorCode, message, { facts: { turn: this.#asked.turn } });
  }
}

function withoutKeys(cause: PerdureError): PerdureError {
  const message = 'The store is encrypted, and nobody who has its keys runs: start its program, and ask again.';
  return new PerdureError('KEY_UNKNOWN', message, { cause });
}

/** In a store of its own everything goes back with the supervisor. */
function goesBack(store: Store): (table: string) => boolean {
  const { n } = store.rows.get<{ n: number }>('select count(*) as n from trees') ?? { n: 0 };
  const own = new Set<string>(TABLES.map(({ name }) => name));
  return (table) => n < 2 || own.has(table);
}
