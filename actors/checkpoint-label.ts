/** The labels of checkpoints: what could be taken for an id, or would not be seen for what it is in a list, is none. */
import { PerdureError } from '../errors.ts';
import { shown } from '../machines/option-keys.ts';
import { checkedId } from './plan-input.ts';

/** The newest, wherever a checkpoint is meant. */
export const LATEST = 'latest';

/** Controls, line breaks, and what turns the direction of writing. */
const UNSEEN = /[\p{Cc}\p{Zl}\p{Zp}\u202a-\u202e\u2066-\u2069]/u;

/** The label. Throws OPTIONS_INVALID. */
export function checkedLabel(label: unknown): string {
  const text = checkedId(label, 'checkpoint label');
  const wrong = wrongWith(text);
  if (wrong === undefined) return text;
  throw new PerdureError('OPTIONS_INVALID', `The label ${shown(text)} of a checkpoint ${wrong}: give another.`, {
    facts: { label: text },
  });
}

function wrongWith(label: string): string | undefined {
  if (UNSEEN.test(label)) return 'has a line break or another control character';
  if (label !== label.trim()) return 'begins or ends with a blank';
  if (/^\d+$/.test(label)) return 'looks like an id, as it has only digits';
  return label === LATEST ? 'stands for the newest one' : undefined;
}
