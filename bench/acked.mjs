/** Acknowledged events a second: every send carries an id and counts when it is on the disk. */
import { v4, v7 } from 'uuid';
import { counterMachine } from './machines.mjs';
import { createDurableActor } from './perdure.mjs';
import { RawSqlite } from './raw-sqlite.mjs';
import { compare, perSecond } from './rounds.mjs';
import { scratchFile } from './scratch.mjs';

const ROUNDS = 9;
/** More commits than it takes to fill the WAL once: one that grows is slower than one that is written over. */
const SENDS_ALONE = 1_500;
const CLIENTS = 256;
const SENDS_EACH = 100;

/** One client against one-row commits. */
export async function ackedByOne() {
  const raw = new RawSqlite(scratchFile('raw.db'), 1);
  const durable = await createDurableActor(counterMachine, { store: scratchFile('ours.db') });
  const { ours, ratio } = await compare(
    ROUNDS,
    () => sendAll(durable, ids(v7, SENDS_ALONE), 1),
    () =>
      perSecond(SENDS_ALONE, () => {
        for (let commit = 0; commit < SENDS_ALONE; commit++) raw.commit([1]);
      }),
  );
  await durable.close();
  raw.close();
  return { value: ours, unit: 'events/s', ratio, against: 'raw one-row commits' };
}

export const ackedByMany = () => ackedTogether(v7);
export const ackedByManyV4 = () => ackedTogether(v4);

/**
 * Many clients against the rows of their events, in the commits that they were in.
 * @param {() => string} newId
 */
async function ackedTogether(newId) {
  const raw = new RawSqlite(scratchFile('raw.db'), 1);
  /** @type {number[]} */
  let rowsPerCommit = [];
  const onCommit = (/** @type {{ rows: number }} */ { rows }) => rowsPerCommit.push(rows);
  const durable = await createDurableActor(counterMachine, { store: scratchFile('ours.db'), onCommit });
  const events = CLIENTS * SENDS_EACH;
  /** @type {number[]} */
  let batches = [1];
  const { ours, ratio } = await compare(
    ROUNDS,
    async () => {
      rowsPerCommit = [];
      const rate = await sendAll(durable, ids(newId, events), CLIENTS);
      batches = rowsPerCommit;
      return rate;
    },
    () => writeBatches(raw, batches, ids(newId, events)),
  );
  await durable.close();
  raw.close();
  return { value: ours, unit: 'events/s', ratio, against: 'raw SQLite, the same rows in the same batches' };
}

/**
 * The ids are made before the clock starts: they are the client's own cost, here as in the raw figure.
 * @param {() => string} newId
 * @param {number} count
 */
function ids(newId, count) {
  return Array.from({ length: count }, () => newId());
}

/**
 * @param {Awaited<ReturnType<typeof createDurableActor<typeof counterMachine>>>} durable
 * @param {readonly string[]} messages
 * @param {number} clients
 */
function sendAll(durable, messages, clients) {
  const waiting = messages.values();
  const client = async () => {
    for (const id of waiting) await durable.send({ type: 'inc' }, { id });
  };
  return perSecond(messages.length, () => Promise.all(Array.from({ length: clients }, client)));
}

/**
 * One row of a commit is the actor's; the others are accepted ids.
 * @param {RawSqlite} raw
 * @param {readonly number[]} batches
 * @param {readonly string[]} messages
 */
function writeBatches(raw, batches, messages) {
  return perSecond(messages.length, () => {
    let from = 0;
    for (const rows of batches) {
      raw.commit([1], messages.slice(from, from + rows - 1));
      from += rows - 1;
    }
  });
}
