/** What is measured: the compiled package, as a user would import it. The one place to change when its door moves. */
export const ENTRY = new URL('../dist/index.js', import.meta.url);

export { Store, createDurableActor, defineAction, spawnSupervisor } from '../dist/index.js';
