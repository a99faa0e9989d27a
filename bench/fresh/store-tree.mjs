/** Leaves the same tree on the disk twice: as a store, and as one JSON blob. */
import { writeFileSync } from 'node:fs';
import { treeMachine } from '../machines.mjs';
import { createDurableActor } from '../perdure.mjs';

const [store = '', blob = '', branches, leaves] = process.argv.slice(2);
const input = { branches: Number(branches), leaves: Number(leaves) };
const durable = await createDurableActor(treeMachine, { store, input });
writeFileSync(blob, JSON.stringify(durable.actor.getPersistedSnapshot()));
await durable.close();
