/** Lays graphs out with ELK in a worker of its own: fetched and begun when the first graph comes, and the page never waits for it. */
import type { ELK, ElkNode } from 'elkjs/lib/elk-api.js';

let started: Promise<ELK> | undefined;

async function elk(): Promise<ELK> {
  const [{ default: Elk }, { default: workerUrl }] = await Promise.all([
    import('elkjs/lib/elk-api.js'),
    import('elkjs/lib/elk-worker.min.js?url'),
  ]);
  return new Elk({ workerUrl });
}

/** The same graph with places in it. Rejects when the worker cannot be had, or cannot do it. */
export async function layout(graph: ElkNode): Promise<ElkNode> {
  started ??= elk();
  // What could not be fetched is fetched by the next one.
  started.catch(() => (started = undefined));
  try {
    return await (await started).layout(graph);
  } catch (error) {
    // ELK's rejections are plain text.
    throw error instanceof Error ? error : new Error(String(error), { cause: error });
  }
}
