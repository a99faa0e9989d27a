/** Makes plain JSON of what came from elsewhere: without cycles, without code, and not too much of it. Pure. */
const LONGEST = 4_000_000;

export function plain(value: unknown): unknown {
  if (value === undefined || value === null || typeof value === 'boolean' || typeof value === 'number') return value;
  try {
    const text = JSON.stringify(value) as string | undefined;
    if (text === undefined) return undefined;
    return text.length > LONGEST ? '[too large to be shown]' : JSON.parse(text);
  } catch {
    return '[not JSON]';
  }
}
