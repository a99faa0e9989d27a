/** What can wait until the page has nothing else to do. */

/** For so long after a connection others come first, ms: what is seen, and what is pressed. */
const AFTER_MS = 3_000;

/**
 * Does things one after another while the page is visible and rests, some time from now. Each is done once; one that fails is left.
 * Returns how to stop.
 */
export function whenIdle(things: readonly (() => Promise<unknown>)[]): () => void {
  let isOver = false;
  const next = async (at: number): Promise<void> => {
    const thing = things[at];
    if (isOver || thing === undefined) return;
    await rest();
    if (isOver) return;
    // What could not be had is tried again by whoever needs it.
    await thing().catch(() => {});
    await next(at + 1);
  };
  const timer = setTimeout(() => void next(0), AFTER_MS);
  return () => {
    isOver = true;
    clearTimeout(timer);
  };
}

async function rest(): Promise<void> {
  if (document.hidden) {
    await new Promise<void>((resolve) => {
      document.addEventListener('visibilitychange', () => resolve(), { once: true });
    });
    return await rest();
  }
  // Safari has none.
  await new Promise<void>((resolve) => {
    if ('requestIdleCallback' in globalThis) requestIdleCallback(() => resolve());
    else setTimeout(resolve, 200);
  });
}
