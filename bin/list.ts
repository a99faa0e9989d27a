/** `perdure ls`: the plans of a store and the actions that belong to none. */
import { countOpenApprovals } from '../actors/approval-ledger.ts';
import type { PlanRow } from '../actors/plan-tables.ts';
import type { ActionRow } from '../actors/queue-tables.ts';
import { actionState, type StepState } from './plan-report.ts';
import { standingLines, standingOf, type Standing } from './standing.ts';
import { storeOf } from './named-store.ts';
import { hasSupervisor, hasTable, readStore, type StoreReader } from '../persistence/store-reader.ts';
import { textTable } from './text-table.ts';

export interface ListOptions {
  readonly store?: string;
  readonly json?: boolean;
}

interface ListedPlan {
  readonly id: string;
  readonly name: string;
  readonly state: string;
  readonly kind?: string;
  readonly submittedAt: number;
  readonly settledAt?: number;
  /** Steps by outcome, or by state while they have none. */
  readonly steps: Readonly<Record<string, number>>;
}

interface ListedAction {
  readonly id: string;
  readonly name: string;
  readonly state: StepState;
  readonly kind?: string;
  readonly attempts: number;
  readonly submittedAt: number;
}

/** Something that went wrong and was told to nobody. */
interface Incident {
  readonly at: number;
  readonly kind: string;
  readonly detail: string;
  readonly actor?: string;
}

/** How many actions without a plan, and how many incidents, are listed; the counts are of all. */
const LISTED_ACTIONS = 100;
const LISTED_INCIDENTS = 100;

interface Listing extends Standing {
  readonly store: string;
  /** How many actions wait for somebody's word. */
  readonly asking: number;
  readonly plans: readonly ListedPlan[];
  /** Those without an outcome first, then the newest. */
  readonly actions: readonly ListedAction[];
  readonly actionCounts: Readonly<Record<string, number>>;
  /** The newest first. */
  readonly incidents: readonly Incident[];
  readonly incidentCount: number;
}

/** Prints what is in a store. */
export function listStore({ store: named, json }: ListOptions): number {
  const store = storeOf(named);
  const listing = readStore(store, (rows) => listingOf(rows, store));
  process.stdout.write(
    json === true ? `${JSON.stringify(listing, null, 2)}\n` : `${listingText(listing).join('\n')}\n`,
  );
  return 0;
}

function listingOf(rows: StoreReader, store: string): Listing {
  const incidents = { incidents: incidentsOf(rows), incidentCount: incidentCountOf(rows) };
  const known = { store, asking: hasTable(rows, 'approvals') ? countOpenApprovals(rows) : 0, ...standingOf(rows) };
  if (!hasSupervisor(rows)) return { ...known, plans: [], actions: [], actionCounts: {}, ...incidents };
  return { ...known, plans: plansOf(rows), actions: actionsOf(rows), actionCounts: actionCountsOf(rows), ...incidents };
}

function incidentsOf(rows: StoreReader): Incident[] {
  return rows
    .all<{
      at: number;
      kind: string;
      detail: string;
      actor: string | null;
    }>(`select at, kind, detail, actor from incidents order by id desc limit ${LISTED_INCIDENTS}`)
    .map(({ at, kind, detail, actor }) => ({ at, kind, detail, ...(actor === null ? {} : { actor }) }));
}

function incidentCountOf(rows: StoreReader): number {
  return rows.get<{ n: number }>('select count(*) as n from incidents')?.n ?? 0;
}

function plansOf(rows: StoreReader): ListedPlan[] {
  const counts = new Map<string, Record<string, number>>();
  const found = rows.all<{ plan: string; what: string; n: number }>(
    `select steps.plan, coalesce(steps.kind, iif(actions.state in ('parked', 'running', 'asking'), actions.state, 'waiting')) as what, count(*) as n
     from steps left join actions on actions.id = steps.action group by 1, 2`,
  );
  for (const { plan, what, n } of found) counts.set(plan, { ...counts.get(plan), [what]: n });
  return rows
    .all<PlanRow>('select * from plans order by seq')
    .map(({ id, name, state, kind, submitted_at: submittedAt, settled_at: settledAt }) => ({
      id,
      name,
      state,
      ...(kind === null ? {} : { kind }),
      submittedAt,
      ...(settledAt === null ? {} : { settledAt }),
      steps: counts.get(id) ?? {},
    }));
}

function actionsOf(rows: StoreReader): ListedAction[] {
  return rows
    .all<ActionRow>(
      `select * from actions where plan is null order by state = 'settled', seq desc limit ${LISTED_ACTIONS}`,
    )
    .map((row) => ({
      id: row.id,
      name: row.name,
      state: actionState(row),
      ...(row.kind === null ? {} : { kind: row.kind }),
      attempts: row.attempts,
      submittedAt: row.submitted_at,
    }));
}

function actionCountsOf(rows: StoreReader): Record<string, number> {
  const found = rows.all<{ what: string; n: number }>(
    'select coalesce(kind, state) as what, count(*) as n from actions where plan is null group by 1 order by 1',
  );
  return Object.fromEntries(found.map(({ what, n }) => [what, n]));
}

function listingText(listing: Listing): string[] {
  const { store, plans, actions, actionCounts } = listing;
  const asks = listing.asking === 0 ? [] : [`waiting for an approval: ${listing.asking}, see \`perdure approvals\``];
  const underLines = [...asks, ...standingLines(listing), ...incidentText(listing)];
  if (plans.length === 0 && actions.length === 0) return [`${store} holds no plans and no actions`, ...underLines];
  const planLines = textTable(plans, [
    { title: 'plan', of: ({ id }) => id },
    { title: 'state', of: ({ kind, state }) => kind ?? state },
    { title: 'steps', of: ({ steps }) => counted(steps) },
    { title: 'since', of: ({ submittedAt }) => new Date(submittedAt).toISOString() },
  ]);
  const actionLines = textTable(actions, [
    { title: 'action', of: ({ id }) => id },
    { title: 'name', of: ({ name }) => name },
    { title: 'state', of: ({ kind, state }) => kind ?? state },
    { title: 'attempts', of: ({ attempts }) => String(attempts), align: 'right' },
  ]);
  return [
    ...(plans.length === 0 ? [] : planLines),
    ...(plans.length > 0 && actions.length > 0 ? [''] : []),
    ...(actions.length === 0 ? [] : [...actionLines, `actions: ${counted(actionCounts)}`]),
    ...underLines,
  ];
}

function incidentText({ incidents: [last], incidentCount }: Listing): string[] {
  if (last === undefined) return [];
  const which = incidentCount === 1 ? '1 incident' : `${incidentCount} incidents, the last`;
  return [`${which}: ${new Date(last.at).toISOString()} ${last.kind}: ${last.detail.split('\n', 1)[0]}`];
}

function counted(counts: Readonly<Record<string, number>>): string {
  return Object.entries(counts)
    .map(([what, count]) => `${count} ${what}`)
    .join(', ');
}
