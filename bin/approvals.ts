/** `perdure approvals`, `approve` and `deny`: what waits for somebody's word, and saying it. */
import { openApprovals, type Approval } from '../actors/approval-ledger.ts';
import { awaitedDecisions, type Said } from '../inspector/commands/awaited-decisions.ts';
import { decisionCommand, riskText, silenceText } from './approval-text.ts';
import { EXIT } from './failure.ts';
import { give, userName, type RemoteOptions } from './remote.ts';
import { storeOf } from './named-store.ts';
import { hasTable, readStore, type StoreReader } from '../persistence/store-reader.ts';
import { textTable } from './text-table.ts';

export interface DecideOptions extends RemoteOptions {
  readonly by?: string;
  readonly note?: string;
}

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
  const said = awaitedDecisions(rows);
  return openApprovals(rows, -1).map((approval) => {
    const one = said.get(approval.id);
    return one === undefined ? approval : { ...approval, said: one };
  });
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
  return give(options, { command: 'approve', params: answerOf(id, options) });
}

/** Does not let it run: its outcome is `denied`. Throws APPROVAL_NOT_FOUND, APPROVAL_DECIDED, OPTIONS_INVALID. */
export function deny(id: string, options: DecideOptions): Promise<number> {
  return give(options, { command: 'deny', params: answerOf(id, options) });
}

function answerOf(id: string, { by, note }: DecideOptions): Readonly<Record<string, unknown>> {
  return { id, by: by ?? userName(), ...(note === undefined || note === '' ? {} : { note }) };
}
