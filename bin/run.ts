/** `perdure run`: starts or resumes a plan, follows it on stderr, and puts its result on stdout. */
import { extname } from 'node:path';
import { readAction } from '../actors/ledger.ts';
import { noteReported } from '../actors/plans.ts';
import type { PlanHandle } from '../actors/supervisor.ts';
import { isSuccess } from '../machines/outcome.ts';
import { forecast, forecastText } from './dry-run.ts';
import { EXIT } from './failure.ts';
import { readPlanFile, type PlanFile } from './plan-file.ts';
import { planReport, type PlanReport } from './plan-report.ts';
import { planSummary } from './plan-summary.ts';
import { Progress } from './progress.ts';
import { otherRuns, resumedCounts, RunSession, slotsOf, type SessionOptions } from './run-session.ts';
import { shownOutput } from './step-output.ts';
import { StopRequest } from './stop-request.ts';
import { LiveText, paintFor } from './terminal.ts';

export interface RunOptions extends SessionOptions {
  readonly store?: string;
  readonly json?: boolean;
  readonly dryRun?: boolean;
}

/** Runs the plan in `file`; gives the exit code. */
export async function runPlan(file: string, options: RunOptions): Promise<number> {
  const plan = readPlanFile(file);
  if (options.dryRun === true) return printForecast(plan, options);
  const session = await RunSession.open(plan, options.store ?? storeBeside(plan.file), options);
  try {
    return await follow(session, options);
  } finally {
    await session.close();
  }
}

function storeBeside(plan: string): string {
  return `${plan.slice(0, plan.length - extname(plan).length)}.db`;
}

function printForecast(plan: PlanFile, { json, concurrency }: RunOptions): number {
  const found = forecast(plan, slotsOf(plan, concurrency));
  process.stdout.write(json === true ? `${JSON.stringify(found, null, 2)}\n` : `${forecastText(found).join('\n')}\n`);
  return EXIT.ok;
}

async function follow(session: RunSession, options: RunOptions): Promise<number> {
  const { supervisor, decision } = session;
  const progress = new Progress(supervisor, decision.id, new LiveText(process.stderr), paintFor(process.stderr));
  const stop = new StopRequest();
  try {
    announce(session, progress);
    const handle = await session.enact();
    const stopped = await Promise.race([settled(handle), stop.received]);
    progress.stop();
    if (stopped !== undefined) return await stopGracefully(session, stopped, progress);
    return conclude(session, options);
  } finally {
    progress.stop();
    stop.forget();
  }
}

async function settled({ outcome }: PlanHandle): Promise<undefined> {
  await outcome;
}

/** Says what was found in the store. */
function announce({ decision, supervisor, store, found, changes }: RunSession, progress: Progress): void {
  const { id } = decision;
  if (decision.kind === 'report') progress.note(`${id} has ended already: nothing is run again`);
  if (decision.kind === 'start') {
    progress.note(
      decision.abandon === undefined ? `starting ${id}` : `starting ${id}; ${decision.abandon} is cancelled`,
    );
  }
  if (decision.kind === 'resume') {
    const counts = resumedCounts(found, (action) => readAction(store.rows, action)?.state === 'running');
    const turn = supervisor.resumed === undefined ? '' : ` at turn ${supervisor.resumed.turn}`;
    progress.note(`${decision.retry ? 'retrying' : 'resuming'} ${id}${turn}: ${counts}`);
    const again = found.filter(({ action }) => readAction(store.rows, action)?.state === 'running');
    const list = (what: string, ids: readonly string[]) =>
      ids.length > 0 && progress.note(`${what}: ${ids.join(', ')}`);
    list(
      'running again',
      again.map(({ step }) => step),
    );
    list(
      'changed, old result kept',
      changes.finished.map(({ step }) => step),
    );
    list(
      'changed',
      changes.unfinished.map(({ step }) => step),
    );
    list('added', changes.added);
    list('removed', changes.removed);
  }
  const others = otherRuns(store, id);
  if (others.length > 0) progress.note(`also going on while this runs: ${others.join(', ')}`);
  if (supervisor.durable.getSnapshot().value !== 'running') {
    progress.note(`paused: nothing starts until \`perdure resume --store ${store.path}\``);
  }
}

async function stopGracefully(
  session: RunSession,
  { signal, exitCode }: { signal: string; exitCode: number },
  progress: Progress,
): Promise<number> {
  progress.note(
    `${signal}: ending what runs (again to exit at once); ${session.decision.id} is not cancelled and goes on with the next \`perdure run\``,
  );
  await session.close();
  return exitCode;
}

function conclude({ store, decision }: RunSession, { json }: RunOptions): number {
  const report = planReport(store.rows, store.path, decision.id) as PlanReport;
  showFailures(report);
  if (json === true) process.stdout.write(`${JSON.stringify(report, null, 2)}\n`);
  else process.stdout.write(`${planSummary(report, paintFor(process.stdout)).join('\n')}\n`);
  if (json !== true && decision.kind === 'resume') {
    process.stdout.write('the run was taken up again: its times include the interruption\n');
  }
  noteReported(store.rows, decision.id, Date.now());
  store.flush();
  return report.kind === 'ok' ? EXIT.ok : EXIT.failed;
}

/** The output of every step that failed, on stderr. */
function showFailures({ steps }: PlanReport): void {
  for (const { id, kind, outputFile } of steps) {
    if (kind === undefined || isSuccess(kind) || outputFile === undefined) continue;
    process.stderr.write(`\noutput of ${id}, ${kind}: ${shownOutput(outputFile).join('\n')}\n`);
  }
}
