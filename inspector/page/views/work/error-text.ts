/** What is shown of an error, in whatever form it was kept. */

export interface ErrorText {
  readonly name: string;
  readonly code: string | null;
  /** The first line. */
  readonly message: string;
  /** What comes after the first line, and the stack; empty when there is none. */
  readonly rest: string;
  readonly lines: number;
  readonly class: string | null;
  readonly fingerprint: string | null;
}

function textOf(value: unknown): string | null {
  return typeof value === 'string' && value !== '' ? value : null;
}

/** Null for what is no error. */
export function errorOf(record: unknown): ErrorText | null {
  const fields = (typeof record === 'string' ? { message: record } : record) as Record<string, unknown> | null;
  if (typeof fields !== 'object' || fields === null) return null;
  const message = textOf(fields['message']);
  if (message === null && textOf(fields['name']) === null) return null;
  const [first = '', ...others] = (message ?? '').split('\n');
  // A stack begins with the message once more.
  const stack =
    textOf(fields['stack'])
      ?.split('\n')
      .filter((line) => line.trim().startsWith('at ')) ?? [];
  const rest = [...others, ...stack];
  return {
    name: textOf(fields['name']) ?? 'Error',
    code: textOf(fields['code']),
    message: first,
    rest: rest.join('\n'),
    lines: rest.length,
    class: textOf(fields['class']),
    fingerprint: textOf(fields['fingerprint']),
  };
}
