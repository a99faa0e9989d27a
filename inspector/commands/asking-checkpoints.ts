/** The commands that take checkpoints, keep and forget them, and go on from one in another store. */
import { lstatSync, realpathSync } from 'node:fs';
import { basename, dirname, resolve } from 'node:path';
import { checkedLabel } from '../../actors/checkpoint-label.ts';
import { checkpointTurn, readCheckpoint, refuseKept } from '../../actors/checkpoint-ledger.ts';
import { progressNow } from '../../actors/checkpoint-progress.ts';
import { forkedTurn } from '../../actors/forks.ts';
import { PerdureError } from '../../errors.ts';
import { isObject, shown } from '../../machines/option-keys.ts';
import type { CheckpointChange } from '../../machines/checkpoint-state.ts';
import type { Asking, Undertaking } from './asking.ts';
import type { Place } from './place.ts';

export const CHECKPOINT_ID = 'the id or the label of a checkpoint, or `latest`';

export const checkpointing: Asking = {
  help: 'Names the present turn, so that there is one to go back to.',
  confirm: false,
  isOfSupervisor: true,
  params: [
    { name: 'label', kind: 'text', required: false, help: 'a name for it, up to 300 characters' },
    { name: 'pin', kind: 'flag', required: false, help: 'keeps it until it is let go' },
  ],
  ask({ params }) {
    const label = params.maybe('label');
    const pin = params.flag('pin');
    const name = { reason: 'request', ...(label === undefined ? {} : { label: checkedLabel(label) }) };
    const data = (turn: number) => ({ id: String(turn) });
    return {
      label: 'checkpoint',
      event: { type: 'supervisor.checkpoint', ...name, pin },
      data,
      async asleep(store) {
        const detail = JSON.stringify(progressNow(store.rows));
        const at = store.clock.now();
        const turn = await store.commits.transact(() => store.rows.nameTurn({ ...name, at, detail, pinned: pin }));
        return { message: `applied in turn ${turn}`, data: data(turn) };
      },
    };
  },
};

export const pinning = changing('pin', 'Keeps a checkpoint until it is let go.');
export const unpinning = changing('unpin', 'Lets a checkpoint be forgotten in time.');
export const removing = changing('remove', 'Forgets a checkpoint.');

function changing(command: CheckpointChange['command'], help: string): Asking {
  const force = {
    name: 'force',
    kind: 'flag',
    required: false,
    help: 'also one that is pinned, and the last',
  } as const;
  return {
    help,
    confirm: command === 'remove',
    isOfSupervisor: true,
    params: [
      { name: 'id', kind: 'text', required: true, help: CHECKPOINT_ID },
      ...(command === 'remove' ? [force] : []),
    ],
    ask({ rows, params }) {
      const id = params.text('id');
      if (command === 'remove' && !params.flag('force')) refuseKept(rows, id);
      const { turn } = readCheckpoint(rows, id);
      return {
        label: `${command} ${turn}`,
        event: { type: 'supervisor.changeCheckpoint', turn, command },
        async asleep(store) {
          await store.commits.transact(() => {
            if (command === 'remove') store.rows.unnameTurn(turn);
            else store.rows.pinTurn(turn, command === 'pin');
          });
          return { message: 'done' };
        },
      };
    },
  };
}

export const forking: Undertaking = {
  help: 'Makes a new store that goes on from a checkpoint; this one does not change.',
  confirm: false,
  isOfSupervisor: true,
  params: [
    { name: 'id', kind: 'text', required: true, help: CHECKPOINT_ID },
    {
      name: 'to',
      kind: 'text',
      required: true,
      help: 'the file of the new store, which must not exist, beside this one',
    },
    {
      name: 'input',
      kind: 'json',
      required: false,
      help: 'other inputs by the ids of actions that wait, or of steps that have not begun: {"invoice:7":{"amount":3}}',
    },
  ],
  async undertake({ params, digest, begin }, place, signal) {
    const to = targetOf(place, params.text('to'));
    const done = (turn: number) => ({
      message: `${to} goes on from turn ${turn} of ${place.path}`,
      data: { turn, to },
    });
    const made = forkedTurn(to, digest);
    if (made !== undefined) return done(made);
    const input = params.json('input') ?? {};
    if (!isObject(input))
      throw new PerdureError(
        'OPTIONS_INVALID',
        `The command "fork" takes as "input" an object by ids, got ${shown(input)}.`,
      );
    const turn = place.read((rows) => checkpointTurn(rows, params.text('id')));
    await begin();
    try {
      await place.fork(turn, { to, input, ...(signal === undefined ? {} : { signal }) }, digest);
    } catch (error) {
      // Another process may have been given the same.
      if (forkedTurn(to, digest) === undefined) throw error;
    }
    return done(turn);
  },
};

/** Whoever only reaches the inspector writes nowhere else. Throws OPTIONS_INVALID. */
function targetOf({ path, forksAnywhere }: Place, to: string): string {
  const folder = dirname(resolve(path));
  const target = resolve(folder, to);
  let wrong: string | undefined;
  if (BESIDE_STORES.test(target)) wrong = 'a file that is not named as what SQLite and locks keep beside stores is';
  else if (!forksAnywhere && !NAME.test(basename(target))) wrong = NAMES;
  else if (target.includes('\0') || Buffer.byteLength(basename(target)) > LONGEST_NAME)
    wrong = `a file whose name has at most ${LONGEST_NAME} bytes, and no NUL`;
  else if (!forksAnywhere && (realFolder(dirname(target)) !== realFolder(folder) || isLink(target)))
    wrong = `a file in the folder of the store, ${folder}`;
  if (wrong === undefined) return target;
  throw new PerdureError('OPTIONS_INVALID', `The command "fork" takes as "to" ${wrong}, got ${shown(to)}.`, {
    facts: { to, folder },
  });
}

/** SQLite would take one for the journal of a store that it opens, and write it back. */
const BESIDE_STORES = /-(?:journal|wal|shm|lock)$/i;

/** Names that every system takes, and nobody overlooks. */
const NAME = /^(?!\.)[\w. -]{1,128}(?<![. ])$/;
const NAMES =
  'a name of at most 128 letters of English, digits, ".", "_", "-" and spaces, with no dot first and no dot or space last';

/** The copy that becomes the fork has a longer one. */
const LONGEST_NAME = 200;

/** Where links lead to; undefined for what is not there. */
function realFolder(folder: string): string | undefined {
  try {
    return realpathSync(folder);
  } catch {
    return undefined;
  }
}

/** Also one that leads to nothing: what is written through it is made elsewhere. */
function isLink(file: string): boolean {
  return lstatSync(file, { throwIfNoEntry: false })?.isSymbolicLink() === true;
}
