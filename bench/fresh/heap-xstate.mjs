import { createActor } from 'xstate';
import { treeMachine } from '../machines.mjs';
import { liveBytes } from './heap.mjs';

const [branches, leaves] = process.argv.slice(2);
const before = liveBytes();
const actor = createActor(treeMachine, { input: { branches: Number(branches), leaves: Number(leaves) } });
actor.start();
console.log(JSON.stringify({ bytes: liveBytes() - before, status: actor.getSnapshot().status }));
