/**
 * Carries out commands at a place, and remembers them. Whatever is asked goes the same way: it is checked, left in the store as a
 * row, applied by whoever owns that, and answered in the row.
 *
 * D1  A command that is given again gets the answer that it got; the id of one is not taken by another.
 * D2  What was refused for what it asks is remembered too; what nobody could have meant (unknown, of wrong parameters) is not.
 * D3  `applied` is answered of what came to its end, also when whoever carried it out ended in the midst of it.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { isPerdureError, type PerdureError } from '../../errors.ts';
import { isObject } from '../../machines/option-keys.ts';
import {
  appliedIn,
  BEGUN,
  listCommands,
  readCommand,
  refusal,
  refusalIn,
  type CommandRow,
} from '../../persistence/commands.ts';
import type { Asked, Asking, Done, Occasion, Reader, Undertaking } from './asking.ts';
import { checkedParams } from './command-params.ts';
import type { CommandDesk, GivenCommand } from './commands.ts';
import { digestOf, leave, taken } from './digest.ts';
import { commandOf, outcomeIn } from './known-commands.ts';
import type { Place } from './place.ts';
import type { AuditEntry, CommandAnswer } from '../protocol.ts';

const LONGEST_BY = 200;
/** How long a repeat waits for what an owner has taken up. */
const ENDED_WITHIN_MS = 2_000;
const LOOK_EVERY_MS = 50;
const MOST_ENTRIES = 1_000;

/** A command that is being carried out. */
type Carried = Omit<Occasion, 'rows'> & { readonly command: string; readonly given: GivenCommand };

export class Desk implements CommandDesk {
  readonly #place: Place;
  readonly #underway = new Map<string, { readonly digest: string; readonly answer: Promise<CommandAnswer> }>();

  constructor(place: Place) {
    this.#place = place;
  }

  async give(given: GivenCommand): Promise<CommandAnswer> {
    try {
      const digest = digestOf(given);
      const same = this.#underway.get(given.id);
      if (same !== undefined && same.digest !== digest) throw taken(given.id);
      if (same !== undefined) return await same.answer;
      const answer = this.#give(given, digest).finally(() => this.#underway.delete(given.id));
      this.#underway.set(given.id, { digest, answer });
      return await answer;
    } catch (error) {
      return refusedAnswer(given.id, error);
    }
  }

  audit(limit: number, before?: string): AuditEntry[] {
    const most = Math.min(Math.max(1, Math.floor(limit)), MOST_ENTRIES);
    const list = (rows: Reader) =>
      listCommands(rows, most, before).map((row) => ({ ...row, answer: outcomeIn(rows, row, this.#eventOf(row)) }));
    return this.#place.read(list).map((row) => this.#entryOf(row));
  }

  close(): void {
    this.#place.close();
  }

  async #give(given: GivenCommand, digest: string): Promise<CommandAnswer> {
    const { id, command, by } = given;
    const { path } = this.#place;
    const asking = commandOf(command);
    const params = checkedParams(command, asking.params, given.params);
    const earlier = this.#row(id);
    // D1.
    if (earlier !== undefined && earlier.digest !== digest) throw taken(id);
    if (earlier !== undefined && earlier.answer !== BEGUN) return this.#again(earlier);
    if (asking.isOfSupervisor) this.#place.refuseUnready();
    const { tree } = this.#place;
    const at = this.#place.now();
    const carried = { id, command, by: by.slice(0, LONGEST_BY), digest, params, at, path, tree, given };
    try {
      return await ('undertake' in asking ? this.#undertake(asking, carried) : this.#ask(asking, carried));
    } catch (error) {
      // D2.
      const isMeant = !isPerdureError(error, 'OPTIONS_INVALID') || this.#row(id) !== undefined;
      if (!isFailure(error) && isMeant) await this.#note(carried, refusal(error));
      throw error;
    }
  }

  async #ask(asking: Asking, carried: Carried): Promise<CommandAnswer> {
    const asked = this.#place.read((rows) => asking.ask({ ...carried, rows }));
    const { asleep } = asked;
    const done = asleep && (await this.#place.whenFree((store) => asleep(store)));
    if (done !== undefined)
      return this.#done(carried, { ...done, message: `${asked.label}: ${done.message}` }, asked.event);
    const { id, by, command, digest } = carried;
    const { tree = carried.tree, actor = '', event } = asked;
    await leave(this.#place, { id, tree, actor, event, by, command, digest });
    const row = await this.#place.answered(id);
    if (row?.answer == null) return this.#waiting(id);
    const turn = appliedIn(row.answer);
    // It is refused, or somebody else who gave it has said it.
    return turn === undefined ? this.#again(row) : this.#applied(carried, asked, turn);
  }

  /** Says what came of it beside that it was applied, also to whoever asks again. */
  async #applied(carried: Carried, { label, after, data }: Asked, turn: number): Promise<CommandAnswer> {
    const note = after && this.#place.read((rows) => after(rows, turn));
    const message = `${label}: applied in turn ${turn}${note === undefined ? '' : `; ${note}`}`;
    return this.#done(carried, { message, ...(data === undefined ? {} : { data: data(turn) }) });
  }

  async #undertake(asking: Undertaking, carried: Carried): Promise<CommandAnswer> {
    const begin = () => this.#note(carried, BEGUN);
    const done = await asking.undertake({ ...carried, begin }, this.#place, carried.given.signal);
    return done === undefined ? this.#waiting(carried.id) : this.#done(carried, done);
  }

  async #done(carried: Carried, { message, data }: Done, event?: Asked['event']): Promise<CommandAnswer> {
    await this.#note(carried, message, event);
    const turn = turnIn(message);
    return {
      type: 'answer',
      id: carried.id,
      state: 'applied',
      message,
      ...(turn === undefined ? {} : { turn }),
      ...(data === undefined ? {} : { data }),
    };
  }

  /** Writes the answer, also of what was never left in the store. Throws COMMAND_CONFLICT for the row of another one. */
  async #note(
    { id, command, by, digest, tree, given }: Carried,
    answer: string,
    event?: Asked['event'],
  ): Promise<void> {
    const row = this.#row(id);
    if (row !== undefined && row.digest !== digest) throw taken(id);
    if (row !== undefined) return this.#place.say(id, answer);
    const asked = event ?? { ...given.params, type: command };
    await leave(this.#place, { id, tree, actor: '', event: asked, by, command, digest, answer });
  }

  async #again(row: CommandRow): Promise<CommandAnswer> {
    const { id } = row;
    const answer = await this.#outcome((row.answer === null ? await this.#place.answered(id) : row) ?? row);
    if (answer === null) return this.#waiting(id);
    const refused = refusalIn(answer);
    if (refused !== undefined) return { type: 'answer', id, state: 'refused', ...refused };
    const turn = turnIn(answer);
    return { type: 'answer', id, state: 'applied', message: answer, ...(turn === undefined ? {} : { turn }) };
  }

  /** D3. Null when there is none soon. */
  async #outcome({ id }: CommandRow): Promise<string | null> {
    const until = performance.now() + ENDED_WITHIN_MS;
    for (;;) {
      const row = this.#row(id);
      const answer = row === undefined ? null : this.#place.read((rows) => outcomeIn(rows, row, this.#eventOf(row)));
      if (answer !== null && answer !== row?.answer) await this.#place.say(id, answer);
      if (answer !== null || row?.answer == null || performance.now() > until) return answer;
      await sleep(LOOK_EVERY_MS);
    }
  }

  #waiting(id: string): CommandAnswer {
    return { type: 'answer', id, state: 'waiting', message: this.#place.silence() };
  }

  #row(id: string): CommandRow | undefined {
    return this.#place.read((rows) => readCommand(rows, id));
  }

  #entryOf(row: CommandRow): AuditEntry {
    const { id, at, asked_by: by, command, tree, actor, answer } = row;
    const answeredAt = answer === null ? null : row.answered_at;
    const event = this.#eventOf(row);
    const type = typeof event['type'] === 'string' ? event['type'] : '[encrypted]';
    return { id, at, by: by ?? 'unknown', command, tree, actor, event: { ...event, type }, answeredAt, answer };
  }

  /** One row that cannot be read hides no other. */
  #eventOf(row: CommandRow): Readonly<Record<string, unknown>> {
    try {
      const event = this.#place.shown(row);
      return isObject(event) ? event : {};
    } catch {
      return { type: '[unreadable]' };
    }
  }
}

/** It says nothing of the command that the store failed. */
function isFailure(error: unknown): boolean {
  return !isPerdureError(error) || error.code.startsWith('STORE_') || error.code === 'SQLITE_TOO_OLD';
}

function refusedAnswer(id: string, error: unknown): CommandAnswer {
  if (isFailure(error)) throw error;
  const { message, code } = error as PerdureError;
  return { type: 'answer', id, state: 'refused', message, code };
}

function turnIn(answer: string): number | undefined {
  const [, turn] = /\bapplied in turn (\d+)/.exec(answer) ?? [];
  return turn === undefined ? undefined : Number(turn);
}
