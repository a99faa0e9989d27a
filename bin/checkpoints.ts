/** `perdure checkpoints` and `checkpoint`: with the owner of a store, beside it, or when nobody owns it. */
import { checkedLabel } from '../actors/checkpoint-label.ts';
import { listCheckpoints, type CheckpointInfo } from '../actors/checkpoint-ledger.ts';
import { progressNow } from '../actors/checkpoint-progress.ts';
import { refuseOld, said, whenFree } from './checkpoint-store.ts';
import { EXIT } from './failure.ts';
import { reportAnswer, request, type RemoteOptions } from './remote.ts';
import { storeOf } from './named-store.ts';
import { readStore } from '../persistence/store-reader.ts';
import { textTable } from './text-table.ts';

export interface CheckpointListOptions {
  readonly json?: boolean;
  readonly limit?: number;
}

/** Prints the checkpoints, the newest first. */
export function listStoreCheckpoints(named: string | undefined, { json, limit = 100 }: CheckpointListOptions): number {
  const store = storeOf(named);
  const found = readStore(store, (rows) => {
    refuseOld(rows, store);
    return listCheckpoints(rows, { limit });
  });
  const text = json === true ? JSON.stringify(found, null, 2) : textOf(found, store).join('\n');
  process.stdout.write(`${text}\n`);
  return EXIT.ok;
}

function textOf(checkpoints: readonly CheckpointInfo[], store: string): string[] {
  if (checkpoints.length === 0) return [`no checkpoints in ${store}`];
  return textTable(checkpoints, [
    { title: 'id', of: ({ id }) => id, align: 'right' },
    { title: 'at', of: ({ at }) => timeText(at) },
    { title: 'reason', of: ({ reason }) => reason },
    { title: 'label', of: ({ label }) => label ?? '' },
    { title: 'kept', of: ({ isPinned }) => (isPinned ? 'pinned' : '') },
    { title: 'running', of: ({ tasks }) => tasks.map(({ id }) => id).join(', ') },
    {
      title: 'plans',
      of: ({ plans }) =>
        plans.map(({ id, unsettled }) => `${id}${unsettled === null ? '' : `, ${unsettled} to do`}`).join('; '),
    },
  ]);
}

/** A damaged time is shown as the number that it is. */
function timeText(at: number): string {
  const time = new Date(at);
  return Number.isNaN(time.getTime()) ? String(at) : time.toISOString();
}

export interface CheckpointTakeOptions extends RemoteOptions {
  readonly label?: string;
  readonly pin?: boolean;
  readonly json?: boolean;
}

/** Names the present turn. Throws OPTIONS_INVALID. */
export async function takeCheckpoint({
  store: named,
  label,
  pin = false,
  json,
}: CheckpointTakeOptions): Promise<number> {
  const path = storeOf(named);
  readStore(path, (rows) => refuseOld(rows, path));
  const name = { reason: 'request', ...(label === undefined ? {} : { label: checkedLabel(label) }) };
  const here = await whenFree(path, async (store) => {
    const detail = JSON.stringify(progressNow(store.rows));
    return store.commits.transact(() => store.rows.nameTurn({ ...name, at: store.clock.now(), detail, pinned: pin }));
  });
  if (here !== undefined) return said({ id: String(here) }, `checkpoint ${here}`, json);
  const answer = await request(path, { type: 'supervisor.checkpoint', ...name, pin });
  const turn = /^applied in turn (\d+)/.exec(answer ?? '')?.[1];
  return turn === undefined ? reportAnswer(path, 'checkpoint', answer) : said({ id: turn }, `checkpoint ${turn}`, json);
}
