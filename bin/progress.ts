/** Follows a run on stderr: a line for each change and, on a terminal, a live table of what is under way. */
import { messageOf } from '../errors.ts';
import { readAction } from '../actors/ledger.ts';
import type { ActionRow } from '../actors/queue-tables.ts';
import type { Actions } from '../actors/actions.ts';
import type { Supervisor } from '../actors/supervisor.ts';
import { liveLines, retryLine, settledLine, startedLine, type ActiveRow, type RunCounts } from './progress-lines.ts';
import { openLines, watchPipeline, type Told } from './pipeline-watch.ts';
import type { StoreReader } from '../persistence/store-reader.ts';
import type { LiveText, Paint } from './terminal.ts';

const DRAW_EVERY_MS = 100;

export class Progress {
  readonly #supervisor: Supervisor<Actions>;
  readonly #run: string;
  readonly #text: LiveText;
  readonly #paint: Paint;
  readonly #subscriptions: { unsubscribe(): void }[];
  #timer: NodeJS.Timeout | undefined;

  /** Follows from now on, also a run that does not exist yet. */
  constructor(supervisor: Supervisor<Actions>, run: string, text: LiveText, paint: Paint) {
    this.#supervisor = supervisor;
    this.#run = run;
    this.#text = text;
    this.#paint = paint;
    this.#subscriptions = [
      supervisor.on('action.attempting', ({ id, attempt }) => {
        this.#say(id, (step, row) => startedLine(step, attempt, row));
      }),
      supervisor.on('action.backingOff', ({ id, delayMs, error }) => {
        this.#say(id, (step) => retryLine(step, delayMs, error, paint));
      }),
      supervisor.on('action.settled', ({ id }) => this.#say(id, (step, row) => settledLine(step, row, paint))),
      ...watchPipeline(supervisor, this.#told),
      supervisor.on('supervisor.paused', () =>
        this.note('paused: what ran has ended, nothing starts until `perdure resume`'),
      ),
      supervisor.on('supervisor.resumed', () => this.note('resumed')),
      supervisor.durable.on('suspended', ({ error }) => {
        this.note(`nothing goes on until the store can be written again: ${messageOf(error)}`);
      }),
    ];
    if (text.isLive) this.#timer = setInterval(() => this.#draw(), DRAW_EVERY_MS);
    this.#timer?.unref();
  }

  /** Says something of the run as a whole. */
  note(line: string): void {
    this.#text.print(this.#paint.dim(line));
  }

  /** Says what waits for somebody's word already. */
  noteOpen(): void {
    openLines(this.#supervisor, this.#told).forEach(this.#told.say);
  }

  stop(): void {
    for (const subscription of this.#subscriptions) subscription.unsubscribe();
    clearInterval(this.#timer);
    this.#text.draw([]);
  }

  get #told(): Told {
    const stepOf = (action: string) => stepOfAction(this.#run, action);
    return { say: (line) => this.#text.print(line), paint: this.#paint, stepOf };
  }

  get #rows(): StoreReader {
    return this.#supervisor.durable.store.rows;
  }

  #say(id: string, line: (step: string, row: ActionRow) => string): void {
    const step = stepOfAction(this.#run, id);
    const row = step === undefined ? undefined : readAction(this.#rows, id);
    if (step !== undefined && row !== undefined) this.#text.print(line(step, row));
  }

  #draw(): void {
    if (!this.#supervisor.durable.store.isOpen) return;
    const active = this.#rows.all<ActiveRow>(
      `select steps.step, actions.id, actions.attempts, started_at, retry_at, error, actions.policy
       from steps join actions on actions.id = steps.action
       where steps.plan = ? and actions.state = 'running' order by started_at, steps.step`,
      this.#run,
    );
    const counts = this.#rows.get<RunCounts>(
      `select count(*) as total, coalesce(sum(steps.state = 'settled'), 0) as settled,
         coalesce(sum(actions.state = 'asking'), 0) as asking
       from steps left join actions on actions.id = steps.action where steps.plan = ?`,
      this.#run,
    );
    this.#text.draw(
      liveLines(this.#run, counts ?? { total: 0, settled: 0, asking: 0 }, active, Date.now(), this.#text.size),
    );
  }
}

/** The step that an action of a run is of: `nightly:1/lint`, in a later round `nightly:1/lint#2`. */
export function stepOfAction(run: string, action: string): string | undefined {
  if (!action.startsWith(`${run}/`)) return undefined;
  return action.slice(run.length + 1).replace(/#\d+$/, '');
}
