/**
 * Stands in for `node:crypto` in the page, where a chart is only told from the others of the same page. The server's own charts
 * come with the id that the server gave them.
 */

/** A hash of 128 bits by FNV-1a over four offsets: no secret depends on it. */
export function createHash(_algorithm: string): { update(text: string): { digest(_encoding: string): string } } {
  return {
    update: (text) => ({ digest: () => [0, 1, 2, 3].map((lane) => hashOf(text, lane)).join('') }),
  };
}

const PRIME = 0x01000193;
const OFFSET = 0x811c9dc5;

function hashOf(text: string, lane: number): string {
  let hash = OFFSET ^ Math.imul(lane, 0x9e3779b9);
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), PRIME);
  return (hash >>> 0).toString(36).padStart(7, '0');
}
