/** `perdure run`: starts or resumes a plan, follows it on stderr, and puts its result on stdout. */
import { existsSync } from 'node:fs';
import { extname } from 'node:path';
import { estimatesOf } from '../actors/estimates.ts';
import { noteReported } from '../actors/plans.ts';
import type { PlanHandle } from '../actors/supervisor.ts';
import { PerdureError } from '../errors.ts';
import { isSuccess } from '../machines/outcome.ts';
import { forecast, forecastText } from './dry-run.ts';
import { ExitGuard } from './exit-guard.ts';
import { EXIT } from './failure.ts';
import { foundLines } from './found-steps.ts';
import { readPlanFile, type PlanFile } from './plan-file.ts';
import { planReport, type PlanReport } from './plan-report.ts';
import { planSummary } from './plan-summary.ts';
import { Progress } from './progress.ts';
import { resumptionText } from './resumption.ts';
import { otherRuns, RunSession, slotsOf, type SessionOptions } from './run-session.ts';
import { shownOutput } from './step-output.ts';
import { hasTable, readStore } from '../persistence/store-reader.ts';
import { StopRequest } from './stop-request.ts';
import { LiveText, paintFor } from './terminal.ts';
import { watchedLines } from './watched.ts';

export interface RunOptions extends SessionOptions {
  readonly store?: string;
  readonly json?: boolean;
  readonly dryRun?: boolean;
  /** Serves the inspector: at this port, or true for any that is free. */
  readonly inspect?: number | true;
  /** Lets whoever looks give commands. Default: false. */
  readonly commands?: boolean;
  /** What whoever looks must know. Default: a new one. */
  readonly token?: string;
}

const RESUMED = 'the run was taken up again: its times include the interruption';

/** Runs the plan in `file`; gives the exit code. */
export async function runPlan(file: string, options: RunOptions): Promise<number> {
  if (options.commands === true && options.inspect === undefined)
    throw new PerdureError('OPTIONS_INVALID', '--commands lets whoever looks steer: give --inspect with it.');
  const plan = readPlanFile(file);
  if (options.dryRun === true) return printForecast(plan, options);
  const session = await RunSession.open(plan, options.store ?? storeBeside(plan.file), options);
  const guard = new ExitGuard(session.decision.id);
  let inspector: AsyncDisposable | undefined;
  try {
    inspector = await inspectorOf(session, options);
    return await follow(session, guard, options);
  } finally {
    await inspector?.[Symbol.asyncDispose]();
    await session.close().finally(() => guard.forget());
  }
}

/** Nothing of it is loaded for a run that nobody looks at. */
async function inspectorOf(
  session: RunSession,
  { inspect, commands = false, token }: RunOptions,
): Promise<AsyncDisposable | undefined> {
  if (inspect === undefined) return undefined;
  const { serveInspector } = await import('../inspector/server/server.ts');
  const inspector = await serveInspector(session.supervisor, {
    commands,
    ...(inspect === true ? {} : { port: inspect }),
    ...(token === undefined ? {} : { token }),
  });
  inspector.unref();
  process.stderr.write(`inspector: ${inspector.url}\n`);
  return inspector;
}

function storeBeside(plan: string): string {
  return `${plan.slice(0, plan.length - extname(plan).length)}.db`;
}

/** What earlier runs taught of the plan's steps, if there are any. */
function learnedIn(store: string, plan: string): (step: string) => number | undefined {
  if (!existsSync(store)) return () => undefined;
  const known = readStore(store, (rows) => (hasTable(rows, 'estimates') ? estimatesOf(rows, plan) : undefined));
  return (step) => known?.(step)?.meanMs;
}

function printForecast(plan: PlanFile, { store, json, concurrency }: RunOptions): number {
  const found = forecast(plan, slotsOf(plan, concurrency), learnedIn(store ?? storeBeside(plan.file), plan.name));
  process.stdout.write(json === true ? `${JSON.stringify(found, null, 2)}\n` : `${forecastText(found).join('\n')}\n`);
  return EXIT.ok;
}

async function follow(session: RunSession, guard: ExitGuard, options: RunOptions): Promise<number> {
  const { supervisor, decision } = session;
  const progress = new Progress(supervisor, decision.id, new LiveText(process.stderr), paintFor(process.stderr));
  const stop = new StopRequest();
  try {
    announce(session, progress);
    const handle = await session.enact();
    const stopped = await Promise.race([settled(handle), stop.received]);
    progress.stop();
    if (stopped !== undefined) return await stopGracefully(session, stopped, guard, progress);
    return await conclude(session, guard, options);
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
    progress.note(decision.abandon === undefined ? `starting ${id}` : `starting ${id}; cancelling ${decision.abandon}`);
  }
  if (decision.kind === 'resume') {
    const [counts, ...under] = foundLines(found, changes.removed);
    const turn = supervisor.resumed === undefined ? '' : ` at turn ${supervisor.resumed.turn}`;
    progress.note(`${decision.retry ? 'retrying' : 'resuming'} ${id}${turn}: ${counts}`);
    if (supervisor.resumed !== undefined) progress.note(resumptionText(supervisor.resumed));
    for (const line of under) progress.note(line);
    progress.noteOpen();
    const list = (what: string, ids: readonly string[]) =>
      ids.length > 0 && progress.note(`${what}: ${ids.join(', ')}`);
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
  const others = otherRuns(store, decision);
  if (others.length > 0) progress.note(`also going on while this runs: ${others.join(', ')}`);
  if (supervisor.durable.getSnapshot().value !== 'running') {
    progress.note(`paused: nothing starts until \`perdure resume --store ${store.path}\``);
  }
}

async function stopGracefully(
  session: RunSession,
  { signal, exitCode }: { signal: string; exitCode: number },
  guard: ExitGuard,
  progress: Progress,
): Promise<number> {
  guard.conclude(exitCode);
  progress.note(
    `${signal}: ending what runs (again to exit at once); ${session.decision.id} is not cancelled and goes on with the next \`perdure run\``,
  );
  await session.close();
  return exitCode;
}

async function conclude(
  { supervisor, store, decision, output }: RunSession,
  guard: ExitGuard,
  { json }: RunOptions,
): Promise<number> {
  const report = planReport(store.rows, store.path, decision.id) as PlanReport;
  showFailures(report);
  const resumed = decision.kind === 'resume';
  const text =
    json === true
      ? JSON.stringify({ ...report, ...(resumed ? { resumed } : {}) }, null, 2)
      : [
          ...planSummary(report, paintFor(process.stdout)),
          ...(resumed ? [RESUMED] : []),
          ...(await watchedLines(supervisor, decision.id)),
        ].join('\n');
  output.print(`${text}\n`);
  noteReported(store.rows, decision.id, Date.now());
  store.flush();
  const code = report.kind === 'ok' ? EXIT.ok : EXIT.failed;
  guard.conclude(code);
  return code;
}

/** The output of every step that failed, on stderr. */
function showFailures({ steps }: PlanReport): void {
  for (const { id, kind, outputFile } of steps) {
    if (kind === undefined || isSuccess(kind) || outputFile === undefined) continue;
    process.stderr.write(`\noutput of ${id}, ${kind}: ${shownOutput(outputFile).join('\n')}\n`);
  }
}
