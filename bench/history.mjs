/** What keeping the past costs: the rate of one client, and the slowest commits while everything else goes on. */
import Database from 'better-sqlite3';
import { rmSync } from 'node:fs';
import { v7 } from 'uuid';
import { counterMachine } from './machines.mjs';
import { createDurableActor } from './perdure.mjs';
import { compare, median, perSecond } from './rounds.mjs';
import { scratchFile } from './scratch.mjs';

const ROUNDS = 9;
const BUSY_ROUNDS = 5;
const SENDS = 1_500;
/** Kept in the busy rounds: few enough that something is forgotten with every commit. */
const KEPT_TURNS = 500;

/** One client with history, against the same without. */
export async function historyOverhead() {
  const kept = await createDurableActor(counterMachine, { store: scratchFile('kept.db'), history: true });
  const plain = await createDurableActor(counterMachine, { store: scratchFile('plain.db') });
  const { ours, ratio } = await compare(
    ROUNDS,
    () => perSecond(SENDS, () => sendEach(kept)),
    () => perSecond(SENDS, () => sendEach(plain)),
  );
  await kept.close();
  await plain.close();
  return { value: ours, unit: 'events/s', ratio, against: 'the same without history' };
}

/** The p99 of one client while backups, checkpoints of the log and pruning go on, against that of a quiet store. */
export async function busyP99() {
  const busyStore = scratchFile('busy.db');
  const busy = await createDurableActor(counterMachine, { store: busyStore, history: { maxTurns: KEPT_TURNS } });
  const quiet = await createDurableActor(counterMachine, { store: scratchFile('quiet.db') });
  const { ours, ratio } = await compare(
    BUSY_ROUNDS,
    async () => {
      const work = new AbortController();
      const others = [backUpUntil(busy.store, work.signal), checkpointUntil(busyStore, work.signal)];
      const p99 = await p99Of(busy);
      work.abort();
      await Promise.all(others);
      return p99;
    },
    () => p99Of(quiet),
  );
  await busy.close();
  await quiet.close();
  return { value: ours, unit: 'ms', ratio, against: 'the p99 of a quiet store' };
}

/** @typedef {Awaited<ReturnType<typeof createDurableActor<typeof counterMachine>>>} Counter */

/** @param {Counter} durable */
async function sendEach(durable) {
  for (let sent = 0; sent < SENDS; sent++) await durable.send({ type: 'inc' }, { id: v7() });
}

/** @param {Counter} durable */
async function p99Of(durable) {
  /** @type {number[]} */
  const took = [];
  for (let sent = 0; sent < SENDS; sent++) {
    const began = performance.now();
    await durable.send({ type: 'inc' }, { id: v7() });
    took.push(performance.now() - began);
  }
  took.sort((a, b) => a - b);
  return took[Math.floor(took.length * 0.99)] ?? median(took);
}

/**
 * @param {Counter['store']} store
 * @param {AbortSignal} signal
 */
async function backUpUntil(store, signal) {
  while (!signal.aborted) {
    const target = scratchFile('copy.db');
    await store.backup(target);
    rmSync(target);
  }
}

/**
 * From another connection, as another program would. It reads nothing and waits for nobody.
 * @param {string} path
 * @param {AbortSignal} signal
 */
async function checkpointUntil(path, signal) {
  const db = new Database(path, { timeout: 0 });
  while (!signal.aborted) {
    db.pragma('wal_checkpoint(PASSIVE)');
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  db.close();
}
