/** What a command of the audit says, in words. */
import type { AuditEntry } from '../../../protocol.ts';

type Asked = Pick<AuditEntry, 'command' | 'event'>;

/** What was asked, and about whom: `approve upgrade:1/deploy`. */
export function askedText({ command, event }: Asked): string {
  const { decision, id, ids, action, plan, name } = event;
  const whom = [id, action, plan, name].find((one) => typeof one === 'string' && one !== '');
  const many = Array.isArray(ids) ? ids.join(', ') : '';
  const what = typeof decision === 'string' ? decision : (command ?? event.type);
  return [what, typeof whom === 'string' ? whom : many].filter((part) => part !== '').join(' ');
}

/** What whoever asked wrote with it; null for nothing. */
export function noteOf({ event: { note } }: Pick<AuditEntry, 'event'>): string | null {
  return typeof note === 'string' && note !== '' ? note : null;
}

export function answerText(answer: string | null): string {
  return answer ?? 'applied';
}
