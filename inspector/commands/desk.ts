/**
 * Carries out commands at a place, and remembers them. Whatever is asked goes the same way: it is checked, left in the store as a
 * row, applied by whoever owns that, and answered in the row.
 *
 * D1  A command that is given again gets the answer that it got; the id of one is not taken by another.
 * D2  What was refused for what it asks is remembered too; what nobody could have meant (unknown, of wrong parameters) is not.
 */
import { isPerdureError, type PerdureError } from '../../errors.ts';
import { isObject } from '../../machines/option-keys.ts';
import { listCommands, readCommand, refusal, refusalIn, type CommandRow } from '../../persistence/commands.ts';
import type { Asked, Asking, Done, Occasion, Undertaking } from './asking.ts';
import { checkedParams } from './command-params.ts';
import type { CommandDesk, GivenCommand } from './commands.ts';
import { digestOf, taken } from './digest.ts';
import { commandOf } from './known-commands.ts';
import type { Place } from './place.ts';
import type { AuditEntry, CommandAnswer } from '../protocol.ts';

const LONGEST_BY = 200;
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
    return this.#place.read((rows) => listCommands(rows, most, before)).map((row) => this.#entryOf(row));
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
    if (earlier !== undefined) return this.#again(earlier, digest);
    if (asking.isOfSupervisor) this.#place.refuseUnready();
    const { tree } = this.#place;
    const at = this.#place.now();
    const carried = { id, command, by: by.slice(0, LONGEST_BY), digest, params, at, path, tree, given };
    try {
      return await ('undertake' in asking ? this.#undertake(asking, carried) : this.#ask(asking, carried));
    } catch (error) {
      // D2.
      if (!isFailure(error) && !isPerdureError(error, 'OPTIONS_INVALID')) await this.#note(carried, refusal(error));
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
    await this.#place.post({ id, tree, actor, event, by, command, digest });
    const row = await this.#place.answered(id);
    if (row?.answer == null) return this.#waiting(id);
    const refused = refusalIn(row.answer);
    if (refused !== undefined) return { type: 'answer', id, state: 'refused', ...refused };
    return this.#applied(carried, asked, row.answer);
  }

  /** Says what came of it beside that it was applied, also to whoever asks again. */
  async #applied(carried: Carried, { label, after, data }: Asked, answer: string): Promise<CommandAnswer> {
    const turn = turnIn(answer) ?? 0;
    const note = after && this.#place.read((rows) => after(rows, turn));
    const message = `${label}: ${answer}${note === undefined ? '' : `; ${note}`}`;
    return this.#done(carried, { message, ...(data === undefined ? {} : { data: data(turn) }) });
  }

  async #undertake(asking: Undertaking, carried: Carried): Promise<CommandAnswer> {
    const done = await asking.undertake(carried, this.#place, carried.given.signal);
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

  /** Writes the answer, also of what was never left in the store. */
  async #note(
    { id, command, by, digest, tree, given }: Carried,
    answer: string,
    event?: Asked['event'],
  ): Promise<void> {
    if (this.#row(id) !== undefined) return this.#place.say(id, answer);
    const asked = event ?? { ...given.params, type: command };
    await this.#place.post({ id, tree, actor: '', event: asked, by, command, digest, answer });
  }

  /** D1. */
  async #again(row: CommandRow, digest: string): Promise<CommandAnswer> {
    const { id } = row;
    if (row.digest !== digest) throw taken(id);
    const { answer } = (row.answer === null ? await this.#place.answered(id) : row) ?? row;
    if (answer === null) return this.#waiting(id);
    const refused = refusalIn(answer);
    if (refused !== undefined) return { type: 'answer', id, state: 'refused', ...refused };
    const turn = turnIn(answer);
    return { type: 'answer', id, state: 'applied', message: answer, ...(turn === undefined ? {} : { turn }) };
  }

  #waiting(id: string): CommandAnswer {
    return { type: 'answer', id, state: 'waiting', message: this.#place.silence() };
  }

  #row(id: string): CommandRow | undefined {
    return this.#place.read((rows) => readCommand(rows, id));
  }

  #entryOf(row: CommandRow): AuditEntry {
    const { id, at, asked_by: by, command, tree, actor, answered_at: answeredAt, answer } = row;
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
