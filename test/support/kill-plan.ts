/** A plan whose steps write down when they run, so that a test can tell which ran twice. */
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { planReport, type StepReport } from '../../bin/plan-report.ts';
import { isPerdureError } from '../../errors.ts';
import { readStore } from '../../persistence/store-reader.ts';

export interface KillStep {
  readonly id: string;
  readonly after?: readonly string[];
  readonly seconds: number;
  /** Fails at its first so many attempts. */
  readonly failures?: number;
}

/** One beginning or end of a step's command, in the order in which they came. */
export interface LogLine {
  readonly what: 'begin' | 'end';
  readonly step: string;
}

export class KillPlan {
  readonly folder: string;
  readonly steps: readonly KillStep[];

  constructor(folder: string, steps: readonly KillStep[]) {
    this.folder = folder;
    this.steps = steps;
    writeFileSync(join(folder, 'plan.json'), JSON.stringify({ name: 'killed', steps: steps.map(stepOf) }));
  }

  get store(): string {
    return join(this.folder, 'plan.db');
  }

  get log(): LogLine[] {
    const file = join(this.folder, 'log');
    if (!existsSync(file)) return [];
    const lines = readFileSync(file, 'utf8').trim().split('\n');
    return lines.map((line) => {
      const [what, step] = line.split(' ');
      return { what, step } as LogLine;
    });
  }

  /** How often each step's command was started. */
  get starts(): Map<string, number> {
    const starts = new Map<string, number>();
    for (const { what, step } of this.log) if (what === 'begin') starts.set(step, (starts.get(step) ?? 0) + 1);
    return starts;
  }

  /** The steps of a run as a look from beside finds them; none while there is no store. */
  report(run: string): readonly StepReport[] {
    if (!existsSync(this.store)) return [];
    try {
      return this.#read(run);
    } catch (error) {
      // Killed while it created the store: nothing is in it yet.
      if (isPerdureError(error, 'STORE_UNOPENABLE')) return [];
      throw error;
    }
  }

  #read(run: string): readonly StepReport[] {
    return readStore(this.store, (rows) => {
      const isThere = rows.get(`select 1 from sqlite_schema where name = 'plans'`) !== undefined;
      return (isThere ? planReport(rows, this.store, run)?.steps : undefined) ?? [];
    });
  }

  /** What has to be the same however often the run was killed. */
  outcome(run: string): Record<string, unknown> {
    const entries = this.report(run).map(({ id, kind, attempts, value }) => [id, { kind, attempts, value }] as const);
    return Object.fromEntries(entries.toSorted(([a], [b]) => (a < b ? -1 : 1)));
  }

  /** Processes of the plan's steps that are alive. */
  get leftovers(): string[] {
    return readdirSync('/proc')
      .filter((name) => /^\d+$/.test(name))
      .filter((pid) => environmentOf(pid).includes(`KILL_PLAN=${this.folder}`));
  }
}

function environmentOf(pid: string): string {
  try {
    return readFileSync(`/proc/${pid}/environ`, 'latin1');
  } catch {
    // It has ended, or is not ours to look at.
    return '';
  }
}

/** What a step returns depends on what those before it returned, so a lost or a mixed up result shows at the end. */
function stepOf({ id, after = [], seconds, failures = 0 }: KillStep) {
  const run = [
    `echo "begin ${id} $(date +%s%N)" >> log`,
    `sleep ${seconds}`,
    `if [ "$PERDURE_ATTEMPT" -le ${failures} ]; then exit 7; fi`,
    `{ echo ${id}; cat "$PERDURE_INPUT"; } | cksum | cut -d ' ' -f 1 > "$PERDURE_OUTPUT"`,
    `echo "end ${id} $(date +%s%N)" >> log`,
  ].join('\n');
  return { id, after, run, retry: { attempts: failures + 1, delay: '50ms' } };
}
