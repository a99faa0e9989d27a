/** `perdure approvals`, `approve` and `deny`: what waits for somebody's word, and saying it. */
import { userInfo } from 'node:os';
import { decidableApproval, openApprovals, readApproval, type Approval } from '../actors/approval-ledger.ts';
import { stepActionOf, stepOfAction } from '../actors/ledger.ts';
import { checkedAnswer } from '../actors/answer.ts';
import { PerdureError } from '../errors.ts';
import type { SupervisorCommand } from '../machines/supervisor.ts';
import { decisionCommand, riskText, silenceText } from './approval-text.ts';
import { EXIT } from './failure.ts';
import { request, reportAnswer, type RemoteOptions } from './remote.ts';
import { storeOf } from './named-store.ts';
import { hasTable, readStore, type StoreReader } from '../persistence/store-reader.ts';
import { textTable } from './text-table.ts';

export interface DecideOptions extends RemoteOptions {
  readonly by?: string;
  readonly note?: string;
}

/** What somebody said already, while nobody owned the store. */
interface Said {
  readonly decision: 'approve' | 'deny';
  readonly by: string;
}

/** How many a message names. */
const LISTED = 10;

type Decide = Extract<SupervisorCommand, { type: 'supervisor.decide' }>;
type Listed = Approval & { readonly said?: Said };

/** Prints the open approvals, the oldest first. */
export function listApprovals(named: string | undefined, { json }: { readonly json?: boolean }): number {
  const store = storeOf(named);
  const found = readStore(store, openOf);
  process.stdout.write(json === true ? `${JSON.stringify(found, null, 2)}\n` : `${textOf(found, store).join('\n')}\n`);
  return EXIT.ok;
}

function openOf(rows: StoreReader): Listed[] {
  if (!hasTable(rows, 'approvals')) return [];
  const said = saidOf(rows);
  return openApprovals(rows, -1).map((approval) => {
    const one = said.get(approval.id);
    return one === undefined ? approval : { ...approval, said: one };
  });
}

/** The first answer to each that waits for an owner: it is the one that will count. */
function saidOf(rows: StoreReader): Map<string, Said> {
  const events = rows.all<{ event: string }>(
    `select event from commands where answered_at is null order by at desc, id desc`,
  );
  const decisions = events
    .map(({ event }) => JSON.parse(event) as Decide)
    .filter(({ type }) => type === 'supervisor.decide');
  return new Map(decisions.map(({ id, decision, by }) => [id, { decision, by }]));
}

function textOf(approvals: readonly Listed[], store: string): string[] {
  if (approvals.length === 0) return [`nothing in ${store} waits for an approval`];
  const table = textTable(approvals, [
    { title: 'approval', of: ({ id }) => id },
    { title: 'what', of: ({ name }) => name },
    { title: 'summary', of: ({ summary }) => summary.split('\n', 1)[0] ?? '' },
    { title: 'risk', of: riskText },
    { title: 'undo', of: ({ undo }) => undo ?? 'none' },
    { title: 'since', of: ({ askedAt }) => new Date(askedAt).toISOString() },
    { title: 'without an answer', of: (approval) => silenceText(approval) },
    {
      title: '',
      of: ({ said }) => (said === undefined ? '' : `${said.decision} by ${said.by} waits for the next start`),
    },
  ]);
  const [first] = approvals as readonly [Listed];
  return [...table, `answer with \`${decisionCommand('approve', first.action, store)}\`, or \`deny\``];
}

/** Lets an action run that asks. Throws APPROVAL_NOT_FOUND, APPROVAL_DECIDED, OPTIONS_INVALID. */
export function approve(id: string, options: DecideOptions): Promise<number> {
  return decide('approve', id, options);
}

/** Does not let it run: its outcome is `denied`. Throws APPROVAL_NOT_FOUND, APPROVAL_DECIDED, OPTIONS_INVALID. */
export function deny(id: string, options: DecideOptions): Promise<number> {
  return decide('deny', id, options);
}

async function decide(decision: Said['decision'], id: string, options: DecideOptions): Promise<number> {
  const { store: named } = options;
  const { by, note } = checkedAnswer({ by: options.by ?? userName(), note: options.note ?? null });
  const store = storeOf(named);
  const approval = readStore(store, (rows) => decidable(rows, id));
  const answer = await request(store, {
    type: 'supervisor.decide',
    id: approval.id,
    decision,
    by,
    note,
    at: Date.now(),
  });
  // Somebody may have been faster, on the way to the owner.
  const after = answer === undefined ? undefined : readStore(store, (rows) => readApproval(rows, approval.id));
  if (after !== undefined && after.state !== 'open') refuseOther(after, decision, by);
  return reportAnswer(store, `${decision} ${approval.id} by ${by}`, answer);
}

function decidable(rows: StoreReader, id: string): Approval {
  if (hasTable(rows, 'approvals')) {
    const approval = decidableApproval(rows, stepActionOf(rows, id) ?? openNamed(rows, id) ?? id);
    refuseSaid(saidOf(rows).get(approval.id), approval);
    return approval;
  }
  throw new PerdureError(
    'APPROVAL_NOT_FOUND',
    `There is no approval "${id}": nothing in this store ever asked for one.`,
    {
      facts: { id },
    },
  );
}

/**
 * The id of the open approval that somebody means by what the list calls it, such as `nightly/deploy`, or by the step alone;
 * undefined when `id` is one itself, or means none. Throws OPTIONS_INVALID when it could mean several.
 */
function openNamed(rows: StoreReader, id: string): string | undefined {
  if (isApproval(rows, id)) return undefined;
  const matches = openApprovals(rows, -1).filter(
    ({ name, action }) => name === id || stepOfAction(rows, action)?.step === id,
  );
  if (matches.length < 2) return matches[0]?.id;
  const ids = matches.map((approval) => approval.id);
  const shown = ids.slice(0, LISTED).join(', ') + (ids.length > LISTED ? ` and ${ids.length - LISTED} more` : '');
  throw new PerdureError('OPTIONS_INVALID', `"${id}" could mean ${ids.length} open approvals: give one of ${shown}.`, {
    facts: { id, matches: ids },
  });
}

function isApproval(rows: StoreReader, id: string): boolean {
  return rows.get('select 1 from approvals where id = ? or action = ? limit 1', id, id) !== undefined;
}

/** Of two answers that wait for an owner the first will count, so a second is not taken. */
function refuseSaid(said: Said | undefined, { id }: Approval): void {
  if (said === undefined) return;
  throw new PerdureError(
    'APPROVAL_DECIDED',
    `The approval "${id}" has an answer that waits for the next start of its store: ${said.decision} by ${said.by}: see \`perdure approvals\`.`,
    { facts: { id, state: 'open', by: said.by } },
  );
}

function refuseOther({ id, state, by, action }: Approval, decision: Said['decision'], asked: string): void {
  if (state === (decision === 'approve' ? 'approved' : 'denied') && by === asked) return;
  throw new PerdureError(
    'APPROVAL_DECIDED',
    `The approval "${id}" was ${state}${by === null ? '' : ` by ${by}`} before your answer came: see \`perdure show ${action}\`.`,
    { facts: { id, state, by } },
  );
}

/** Who is asked for a name, and has none, is somebody all the same. */
function userName(): string {
  try {
    return userInfo().username;
  } catch {
    return 'somebody';
  }
}
