/**
 * What steps of plans have returned, kept so that work whose outcome is known is not done again. A memo is found by a key: the
 * action's name and version, its input, what its dependencies returned, and what is in the files that it reads.
 *
 * Invariants:
 * M1 Only what went well and lacks nothing is kept, and only what went well and lacks nothing is built upon.
 * M2 A memo is kept only if the key was the same before the work and after it: a file that changes meanwhile proves nothing.
 * M3 A memo stands in only while the files that the work wrote are as it left them.
 * M4 There are at most `MOST_MEMOS`, each of at most `LONGEST_VALUE`: the longest unused go first.
 */
import { createHash } from 'node:crypto';
import type { MemoPolicy } from '../machines/action-policy.ts';
import type { FilesRead } from '../machines/tracks.ts';
import { isObject, shown, unknownKey } from '../machines/option-keys.ts';
import type { Rows } from '../persistence/rows.ts';
import type { TableSpec } from '../persistence/schema.ts';
import { refuse, type Wrong } from './action-options.ts';
import { qualityBefore, resultTextsFor } from './dependencies.ts';
import { policyOfText } from './earlier-versions.ts';
import { contentsOf, NO_CONTENTS } from './file-contents.ts';
import type { StepRow } from './plan-tables.ts';
import { canonical, unsealedText } from './values.ts';

/** When a step need not run again. */
export interface MemoOptions {
  /** Change it when what was remembered must not stand in any more. Default: `1`. */
  readonly version?: string;
  /**
   * The files that the work reads, as patterns such as `src/**\/*.ts`, relative to `folder`. Each must name a file, or the step
   * runs.
   */
  readonly files?: readonly string[];
  /** The files that it writes: when they are not as it left them, it runs again. */
  readonly outputs?: readonly string[];
  /** Default: the folder of the process. */
  readonly folder?: string;
  /** Runs in any case, and remembers what comes of it. Default: false. */
  readonly refresh?: boolean;
}

/** As `via` of an outcome: it is the outcome of an earlier run. */
export const VIA_MEMO = 'memo';

const MOST_MEMOS = 10_000;
const LONGEST_VALUE = 1_048_576;
const MOST_PATTERNS = 100;

export const MEMO_TABLES: readonly TableSpec[] = [
  {
    name: 'memos',
    key: 'key',
    columns: [
      'key text primary key',
      'value text',
      'outputs text not null',
      'work_ms real not null',
      'used_at real not null',
    ],
    indexes: ['create index if not exists memos_used on memos(used_at)'],
  },
];

/** What was remembered. */
export interface Memo {
  readonly key: string;
  readonly value: string | null;
  /** What was in the files that it wrote. */
  readonly outputs: string;
  readonly work_ms: number;
}

/** A step's options with the defaults filled in; undefined for one that is not remembered. Throws OPTIONS_INVALID. */
export function memoPolicyOf(what: string, memo: boolean | MemoOptions | undefined): MemoPolicy | undefined {
  refuse(what, wrongMemo(memo), {});
  if (memo === undefined || memo === false) return undefined;
  const {
    version = '1',
    files = [],
    outputs = [],
    folder = process.cwd(),
    refresh = false,
  } = memo === true ? {} : memo;
  return { version, files, outputs, folder, refresh };
}

export function wrongMemo(memo: unknown): Wrong {
  if (memo === undefined || typeof memo === 'boolean') return undefined;
  if (!isObject(memo)) return `memo must be true, false or an object, got ${shown(memo)}`;
  const { files, outputs, version, folder, refresh } = memo;
  const wrong =
    unknownKey(memo, ['version', 'files', 'outputs', 'folder', 'refresh']) ??
    wrongPatterns('files', files) ??
    wrongPatterns('outputs', outputs);
  if (wrong !== undefined) return `memo ${wrong}`;
  for (const [key, value] of Object.entries({ version, folder }))
    if (value !== undefined && typeof value !== 'string') return `memo.${key} must be a text, got ${shown(value)}`;
  return refresh === undefined || typeof refresh === 'boolean'
    ? undefined
    : `memo.refresh must be true or false, got ${shown(refresh)}`;
}

function wrongPatterns(what: string, patterns: unknown): Wrong {
  const isList = Array.isArray(patterns) && patterns.length <= MOST_PATTERNS;
  if (patterns === undefined || (isList && patterns.every((one) => typeof one === 'string' && one !== '')))
    return undefined;
  return `${what} must be a list of at most ${MOST_PATTERNS} patterns of files, got ${shown(patterns)}`;
}

/** Of a step that reads and writes none. */
export const NO_FILES: FilesRead = { files: NO_CONTENTS, outputs: NO_CONTENTS };

/** Whether files must have been read before it is looked up. */
export function readsFiles({ files, outputs }: MemoPolicy): boolean {
  return files.length + outputs.length > 0;
}

/** Notes the key of a step that is about to be dispatched, and gives what is remembered of it. */
export function recall(rows: Rows, step: StepRow, memo: MemoPolicy | undefined, read: FilesRead): Memo | undefined {
  // What an earlier round noted must not be taken for this one's.
  if (memo === undefined && step.memo_key === null) return undefined;
  const key = (memo && keyOf(rows, step, memo, read.files)) ?? null;
  rows.run(
    'update steps set memo_key = ?, memo_outputs = null, saved_ms = null, from_turn = ? where id = ?',
    key,
    rows.turn,
    step.id,
  );
  if (memo === undefined || key === null || memo.refresh) return undefined;
  const found = rows.get<Memo>('select key, value, outputs, work_ms from memos where key = ?', key);
  // M3.
  return found !== undefined && read.outputs === found.outputs ? found : undefined;
}

/** Settles the action of a step with what is remembered: nothing is attempted, asked or charged. */
export function settleFrom(rows: Rows, step: StepRow, memo: Memo, policy: string, at: number): void {
  const { id, plan, action, name, version, input, rank } = step;
  rows.run(
    `insert into actions(id, name, version, input, policy, rank, plan, state, submitted_at, settled_at, kind, value, via,
       attempts, quality_loss, from_turn)
     values (?, ?, ?, ?, ?, ?, ?, 'settled', ?, ?, 'ok', ?, ?, 0, 0, ?)`,
    action,
    name,
    version,
    input,
    policy,
    rank,
    plan,
    at,
    at,
    memo.value,
    VIA_MEMO,
    rows.turn,
  );
  rows.run('update steps set saved_ms = ?, from_turn = ? where id = ?', memo.work_ms, rows.turn, id);
  rows.run('update memos set used_at = ?, from_turn = ? where key = ?', at, rows.turn, memo.key);
}

/** What a key is made of may have changed while the work ran: looked at again as soon as it has returned (M2). */
export async function confirm(
  rows: Pick<Rows, 'get' | 'all' | 'run' | 'turn' | 'unseal'>,
  action: string,
): Promise<void> {
  const step = rows.get<StepRow>('select * from steps where action = ? and memo_key is not null', action);
  const { memo } = step === undefined ? {} : policyOfText(step.policy);
  if (step === undefined || memo === undefined) return;
  const files = await contentsOf(memo.folder, memo.files);
  const isSame = keyOf(rows, step, memo, files ?? null) === step.memo_key;
  const outputs = isSame ? await contentsOf(memo.folder, memo.outputs) : undefined;
  rows.run('update steps set memo_outputs = ?, from_turn = ? where id = ?', outputs ?? null, rows.turn, step.id);
}

/** Keeps the outcome of a step that went well, if that can be relied upon. */
export function remember(rows: Rows, { action, memo_key: key, memo_outputs: outputs }: StepRow, at: number): void {
  if (key == null || outputs == null) return;
  // M1.
  const kept = rows.run(
    `insert into memos(key, value, outputs, work_ms, used_at, from_turn)
     select ?, value, ?, work_ms, ?, ? from actions
     where id = ? and kind in ('ok', 'recovered') and quality_loss = 0 and attempts > 0 and coalesce(length(value), 0) <= ${LONGEST_VALUE}
     on conflict(key) do update set value = excluded.value, outputs = excluded.outputs, work_ms = excluded.work_ms,
       used_at = excluded.used_at, from_turn = excluded.from_turn`,
    key,
    outputs,
    at,
    rows.turn,
    action,
  );
  if (kept > 0)
    rows.run(
      `delete from memos where key in
         (select key from memos order by used_at limit max(0, (select count(*) from memos) - ${MOST_MEMOS}))`,
    );
}

/** Undefined for a step whose outcome says nothing of the next: its files cannot be read, or it was given less than it should. */
function keyOf(
  rows: Pick<Rows, 'get' | 'all' | 'unseal'>,
  { action, plan, name, version, input }: StepRow,
  { version: memoVersion, files, outputs, folder }: MemoPolicy,
  contents: string | null,
): string | undefined {
  const dependant = { id: action, plan, pays: null };
  if (qualityBefore(rows, dependant) < 1) return undefined;
  if (contents === null) return undefined;
  const made = {
    name,
    version,
    memoVersion,
    input: JSON.parse(unsealedText(rows, input)) as unknown,
    folder,
    files,
    outputs,
    contents,
  };
  const hash = createHash('sha256').update(canonical(made));
  for (const { step, value } of resultTextsFor(rows, dependant))
    hash.update(`\n${JSON.stringify(step)}:`).update(canonical(JSON.parse(value)));
  return hash.digest('hex');
}
