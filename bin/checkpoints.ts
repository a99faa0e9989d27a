/** `perdure checkpoints` and `checkpoint`: with the owner of a store, beside it, or when nobody owns it. */
import { listCheckpoints, type CheckpointInfo } from '../actors/checkpoint-ledger.ts';
import { refuseOld } from './checkpoint-store.ts';
import { EXIT } from './failure.ts';
import { asJson, give, type RemoteOptions } from './remote.ts';
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
export function takeCheckpoint({ label, pin = false, json, ...options }: CheckpointTakeOptions): Promise<number> {
  const params = { pin, ...(label === undefined ? {} : { label }) };
  return give(options, {
    command: 'checkpoint',
    params,
    ...asJson(json, ({ data }) => `checkpoint ${data?.['id'] as string}`),
  });
}
