/** `perdure doctor`: whether a store is sound, what is in it, and what to do about what is wrong. */
import { systemClock } from '../persistence/clock.ts';
import { examine, type Health } from '../persistence/health.ts';
import { acceptOlder, repair, restoreDamaged, type Repairs, type RestoredTree } from '../persistence/repair.ts';
import { rehearse, type RehearsedActor } from '../persistence/rehearsal.ts';
import { EXIT } from './failure.ts';
import { loadMachines } from './machine-module.ts';
import { storeOf } from './named-store.ts';

export interface DoctorOptions {
  readonly json?: boolean;
  readonly repair?: boolean;
  readonly restore?: boolean;
  readonly acceptOlder?: boolean;
  /** A module that exports `machines` and `migrate`. */
  readonly migrate?: string;
}

/** Examines a store, after what was asked for was done to it. Gives 1 when something is wrong. */
export async function doctor(named: string | undefined, options: DoctorOptions): Promise<number> {
  const store = storeOf(named);
  // Names a store that is not there before anything would create one.
  let health = examine(store);
  if (options.acceptOlder === true) acceptOlder(store, systemClock);
  const restored = options.restore === true ? restoreDamaged(store, systemClock) : undefined;
  const repairs = options.repair === true ? repair(store, systemClock) : undefined;
  if (restored !== undefined || repairs !== undefined || options.acceptOlder === true) health = examine(store);
  const rehearsed = options.migrate === undefined ? undefined : await rehearsal(store, options.migrate);
  const report = {
    ...health,
    ...(restored && { restored }),
    ...(repairs && { repairs }),
    ...(rehearsed && { rehearsed }),
  };
  const text = options.json === true ? JSON.stringify(report, null, 2) : doctorText(report).join('\n');
  process.stdout.write(`${text}\n`);
  const refused = rehearsed?.some(({ outcome }) => outcome === 'refused') === true;
  return health.findings.length > 0 || refused ? EXIT.failed : EXIT.ok;
}

async function rehearsal(store: string, module: string): Promise<RehearsedActor[]> {
  const { find, migrate, payloads } = await loadMachines(module);
  return rehearse(store, find, migrate, payloads);
}

interface Report extends Health {
  readonly restored?: readonly RestoredTree[];
  readonly repairs?: Repairs;
  readonly rehearsed?: readonly RehearsedActor[];
}

function doctorText(report: Report): string[] {
  const { findings, restored = [], repairs, rehearsed } = report;
  return [
    report.store,
    ...facts(report).map(([name, value]) => `  ${name.padEnd(10)}  ${value}`),
    ...restored.map(({ turn, detail }) => `${turn === null ? '✖ not restored' : 'restored'}: ${detail}`),
    ...(repairs === undefined ? [] : [repairText(repairs)]),
    ...findings.flatMap(({ code, detail, remedy }) => [`✖ ${code}: ${detail}`, `    ${remedy}`]),
    ...(rehearsed ?? []).map(actorText),
    findings.length === 0 ? 'the store is sound' : `findings: ${findings.length}`,
  ];
}

function facts(health: Health): (readonly [string, string])[] {
  const { schema, bytes, walBytes, owner, counts, machines, history, incidents } = health;
  const { trees, actors, timers, outbox, deadLetters, quarantined } = counts;
  const many = Object.entries(machines).map(([machine, count]) => `${machine} ${count}`);
  const left = owner === undefined && (walBytes ?? 0) > 0 ? ', which the next owner takes in' : '';
  const log = walBytes === undefined ? 'no log beside it' : `${walBytes} bytes of log beside it${left}`;
  return [
    ['file', `schema ${schema}, ${bytes} bytes, ${log}`],
    ['owner', owner === undefined ? 'nobody' : `process ${owner.pid}, since ${time(owner.since)}`],
    ...(health.isCopy ? [['copy', 'its first owner begins a new generation of effect keys'] as const] : []),
    ['holds', `trees ${trees}, actors ${actors}, timers ${timers}, outbox ${outbox}, dead letters ${deadLetters}`],
    ...(many.length === 0 ? [] : [['machines', many.join(', ')] as const]),
    ['history', history.turns === 0 ? 'none' : `${history.turns} turns, from ${history.from} to ${history.to}`],
    ...(quarantined === 0 ? [] : [['quarantine', `rows ${quarantined}: look into the table quarantine`] as const]),
    ...(incidents.last === undefined
      ? []
      : [['incidents', `${incidents.count}, the last ${time(incidents.last.at)}: ${incidents.last.detail}`] as const]),
  ];
}

function repairText({ quarantined, digests }: Repairs): string {
  return `repaired: indexes built again, rows put into the quarantine ${quarantined}, trees counted again ${digests}`;
}

function actorText({ tree, actor, outcome, from, to, why }: RehearsedActor): string {
  const where = actor === tree ? tree : `${tree}: ${actor}`;
  if (outcome === 'refused') return `✖ ${where} refused: ${why}`;
  return outcome === 'unchanged' ? `  ${where} unchanged` : `→ ${where} migrated from ${from} to ${to}`;
}

function time(at: number): string {
  return new Date(at).toISOString();
}
