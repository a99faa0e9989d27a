/** How well a text fits what was typed: its letters in order, the closer together and the earlier the better. Pure. */

export interface Match {
  /** The larger the better. */
  readonly score: number;
  /** The places of the letters, for marking them. */
  readonly at: readonly number[];
}

const WORD_START = 8;
const NEXT_TO = 5;
const LONGEST = 200;

/** Null when the letters are not all there in order. Blanks do not count. */
export function matchOf(typed: string, text: string): Match | null {
  const wanted = typed.toLowerCase().replaceAll(' ', '');
  const hay = text.slice(0, LONGEST).toLowerCase();
  const whole = hay.indexOf(wanted);
  if (whole !== -1 && wanted !== '') {
    const at = Array.from(wanted, (_, i) => whole + i);
    return { score: 100 + (isStart(text, whole) ? 50 : 0) - whole - text.length / 100, at };
  }
  const at: number[] = [];
  let score = 0;
  let from = 0;
  for (const letter of wanted) {
    const found = hay.indexOf(letter, from);
    if (found === -1) return null;
    if (at.length > 0 && found === at.at(-1)! + 1) score += NEXT_TO;
    if (isStart(text, found)) score += WORD_START;
    score -= (found - from) / 10;
    at.push(found);
    from = found + 1;
  }
  return { score: score - text.length / 100, at };
}

function isStart(text: string, at: number): boolean {
  return at === 0 || /[^\p{L}\p{N}]/u.test(text.charAt(at - 1));
}
