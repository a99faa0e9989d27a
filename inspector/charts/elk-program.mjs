/** Lays out the graphs that it is sent, one after the other. It is the program of a thread: what ELK makes of a graph may take long. */
import ELK from 'elkjs/lib/elk.bundled.js';
import { parentPort } from 'node:worker_threads';

// oxlint-disable-next-line typescript/no-explicit-any -- It is what the module exports, whatever its types say.
const elk = new /** @type {any} */ (ELK)();
parentPort?.on('message', (graph) => {
  elk.layout(graph).then(
    (/** @type {unknown} */ result) => parentPort?.postMessage({ result }),
    (/** @type {unknown} */ error) => parentPort?.postMessage({ error: String(error) }),
  );
});
