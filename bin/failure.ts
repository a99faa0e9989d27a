/** How the command line says that something went wrong, and with which exit code. */
import { existsSync } from 'node:fs';
import { isPerdureError, messageOf } from '../errors.ts';

export const EXIT = { ok: 0, failed: 1, usage: 2, notFound: 3, owned: 4 } as const;

/** What was asked for could not be meant: the command line, or the plan. */
const USAGE: ReadonlySet<string> = new Set([
  'OPTIONS_INVALID',
  'PLAN_INVALID',
  'PLAN_CYCLE',
  'PLAN_STEP_UNKNOWN',
  'THREAD_MODULE_EXPORT',
  'THREAD_MODULE_NOT_FOUND',
  'THREAD_MODULE_OUTSIDE',
  'FORK_EXISTS',
  'EVENT_INVALID',
  'EVENT_INTERNAL',
  'EXPORT_INVALID',
]);
const NOT_FOUND: ReadonlySet<string> = new Set([
  'ACTION_NOT_FOUND',
  'APPROVAL_NOT_FOUND',
  'SCHEDULE_NOT_FOUND',
  'QUEUE_NOT_FOUND',
  'CHECKPOINT_UNKNOWN',
  'DEAD_LETTER_NOT_FOUND',
  'ACTOR_NOT_FOUND',
  'TREE_NOT_FOUND',
  'MACHINE_NOT_FOUND',
]);

/** 1, or what the error says more exactly. */
export function exitCodeOf(error: unknown): number {
  if (!isPerdureError(error)) return EXIT.failed;
  if (error.code === 'STORE_OWNED') return EXIT.owned;
  if (NOT_FOUND.has(error.code) || namesMissingFile(error.facts)) return EXIT.notFound;
  return USAGE.has(error.code) ? EXIT.usage : EXIT.failed;
}

/** The plan or the store that was named is not there, and it was not SQLite that should have made it. */
function namesMissingFile({ file, path, sqlite }: Readonly<Record<string, unknown>>): boolean {
  const named = file ?? path;
  return sqlite === undefined && typeof named === 'string' && !existsSync(named);
}

/** One line (more if the message has more), without a stack unless `DEBUG=perdure`. */
export function failureText(error: unknown): string {
  const code = isPerdureError(error) ? ` [${error.code}]` : '';
  const stack = process.env['DEBUG'] === 'perdure' && error instanceof Error ? `\n${error.stack ?? ''}` : '';
  return `perdure: ${messageOf(error)}${code}${stack}\n`;
}
