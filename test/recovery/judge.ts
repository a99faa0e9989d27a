/**
 * Reads what a killed process left behind and says everything that is wrong with it. It runs in another process than
 * the owner, and only when that one is dead.
 */
import Database from 'better-sqlite3';
import { cpSync, existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { decode, type Refs } from '../../persistence/codec.ts';
import type { HubContext } from './hub.ts';
import { clientsOf, expectedAfter, type Expected, type Workload } from './workload.ts';

interface ActorRow {
  readonly id: number;
  readonly parent: number | null;
  readonly key: string;
  readonly attempt: number;
  readonly snapshot: string;
}

interface TimerRow {
  readonly source: number;
  readonly target: number;
  readonly key: string;
  readonly event: string;
  readonly due: number;
}

/** A store as it lies there. */
interface Left {
  readonly hub: HubContext;
  readonly root: ActorRow;
  readonly children: Map<string, ActorRow & { readonly state: { value: unknown; context: { pokes: number } } }>;
  readonly timers: readonly TimerRow[];
  readonly marks: Map<string, string>;
}

/** A reference, as the judge sees it: the id of a row. */
const refs = { idOf: () => undefined, refOf: (id: number) => ({ row: id }) } as unknown as Refs;

function linesOf(path: string): string[] {
  return existsSync(path) ? readFileSync(path, 'utf8').split('\n').filter(Boolean) : [];
}

function read(folder: string, store: string): Left | undefined {
  if (!existsSync(store)) return undefined;
  // What SQLite does to recover must not help the next life, so it does it to a copy.
  const copy = mkdtempSync(`${folder}/judged-`);
  for (const end of ['', '-wal', '-journal']) {
    if (existsSync(`${store}${end}`)) cpSync(`${store}${end}`, `${copy}/work.db${end}`);
  }
  const db = new Database(`${copy}/work.db`);
  try {
    const tables = db.prepare(`select name from sqlite_schema where name in ('actors', 'marks')`).pluck().all();
    const rows = tables.length < 2 ? [] : (db.prepare('select * from actors order by id').all() as ActorRow[]);
    const root = rows.find(({ parent }) => parent === null);
    if (root === undefined) return undefined;
    const check = db.pragma('integrity_check', { simple: true });
    if (check !== 'ok') throw new Error(`integrity_check: ${String(check)}`);
    const children = rows
      .filter(({ parent }) => parent === root.id)
      .map((row) => [row.key, { ...row, state: decode(row.snapshot, refs) }]);
    return {
      root,
      hub: (decode(root.snapshot, refs) as { context: HubContext }).context,
      children: new Map(children as never),
      timers: db.prepare('select * from timers').all() as TimerRow[],
      marks: new Map(db.prepare('select marker, work from marks').raw().all() as [string, string][]),
    };
  } finally {
    db.close();
    rmSync(copy, { recursive: true });
  }
}

export interface Judgement {
  /** Everything that is wrong; an empty list is what is promised. */
  readonly wrong: string[];
  /** How far each client came. */
  readonly committed: Record<string, number>;
}

/** Judges a store by the notes in the folder of its worker, where the store is too unless it is named. */
export function judge(folder: string, workload: Workload, store = `${folder}/work.db`): Judgement {
  const left = read(folder, store);
  const acknowledged = linesOf(`${folder}/acknowledged`);
  const traces = linesOf(`${folder}/traces`);
  if (left === undefined) {
    const lost = acknowledged.length + traces.length;
    return { wrong: lost === 0 ? [] : [`${lost} acknowledgements or effects, and no store`], committed: {} };
  }
  const committed = { ...left.hub.last };
  const expected = expectedAfter(workload, committed);
  const wrong = [
    ...left.hub.wrong,
    ...judgeAcknowledged(acknowledged, workload, committed),
    ...judgeTraces(traces, left),
    ...judgeKids(left, expected),
    ...judgeAlarms(left, expected),
    ...judgeWorks(left, expected),
  ];
  return { wrong, committed };
}

function judgeAcknowledged(lines: string[], workload: Workload, committed: Readonly<Record<string, number>>): string[] {
  return clientsOf(workload).flatMap((client) => {
    const numbers = lines.filter((line) => line.startsWith(`${client}:`)).map((line) => Number(line.split(':')[1]));
    const last = committed[client] ?? 0;
    return [
      ...numbers
        .filter((n) => n > last)
        .map((n) => `${client}:${n} was acknowledged and is lost; the store ends at ${last}`),
      ...numbers.filter((n, index) => n !== index + 1).map((n) => `${client}:${n} was acknowledged out of order`),
    ];
  });
}

/** Traces are `marker work key attempt`. */
function judgeTraces(lines: string[], { marks }: Left): string[] {
  const attempts = new Map<string, number>();
  const markers = new Map<string, string>();
  return lines.flatMap((line) => {
    const [marker, work, key, attempt] = line.split(' ') as [string, string, string, string];
    const problems: string[] = [];
    if (marks.get(marker) !== work) problems.push(`${work} ran for a turn that was never committed`);
    if (Number(attempt) <= (attempts.get(key) ?? 0)) problems.push(`${work} ran twice as attempt ${attempt} of ${key}`);
    if ((markers.get(key) ?? marker) !== marker) problems.push(`${key} was given to two effects`);
    attempts.set(key, Number(attempt));
    markers.set(key, marker);
    return problems;
  });
}

function differences(what: string, found: Iterable<string>, expected: Iterable<string>): string[] {
  const [have, want] = [new Set(found), new Set(expected)];
  return [
    ...[...want].filter((name) => !have.has(name)).map((name) => `${what}: ${name} is lost`),
    ...[...have].filter((name) => !want.has(name)).map((name) => `${what}: ${name} should not be there`),
  ];
}

function judgeKids({ hub, children, timers }: Left, { kids, aging, pokes }: Expected): string[] {
  const stillAging = [...hub.kids.keys()].filter((name) => aging.has(name));
  const rows = [...children.keys()].filter((name) => !name.includes('work'));
  const aged =
    hub.aged + stillAging.length === aging.size
      ? []
      : [`${hub.aged} aged and ${stillAging.length} wait, of ${aging.size}`];
  const waiting = timers.filter(({ key }) => key.startsWith('xstate.after.'));
  return [
    ...differences('kids in the context', hub.kids.keys(), [...kids.keys(), ...stillAging]),
    ...differences('rows of kids', rows, [...kids.keys(), ...stillAging]),
    ...[...hub.kids]
      .filter(([name, ref]) => (ref as unknown as { row: number }).row !== children.get(name)?.id)
      .map(([name]) => `the reference to ${name} points elsewhere`),
    ...[...kids]
      .filter(([name, n]) => children.get(name)?.state.context.pokes !== n)
      .map(([name, n]) => `${name} was poked ${n} times, and says ${children.get(name)?.state.context.pokes}`),
    ...(hub.pokes === pokes ? [] : [`${pokes} pokes were sent, ${hub.pokes} reported`]),
    ...aged,
    ...stillAging
      .filter((name) => waiting.filter(({ source }) => source === children.get(name)?.id).length !== 1)
      .map((name) => `the timer of ${name} is lost`),
  ];
}

function judgeAlarms({ hub, root, children, timers }: Left, { alarms, never, cancelled }: Expected): string[] {
  const set = timers.filter(({ key }) => key.includes('alarm'));
  const short = [...hub.alarms.keys()].filter((name) => alarms.has(name));
  return [
    ...differences('alarms in the context', hub.alarms.keys(), [...short, ...never]),
    ...differences(
      'rows of alarms',
      set.map(({ key }) => key),
      hub.alarms.keys(),
    ),
    ...(new Set(set.map(({ key }) => key)).size === set.length ? [] : ['an alarm has two rows']),
    ...(hub.rang + short.length === alarms.size
      ? []
      : [`${hub.rang} rang and ${short.length} wait, of ${alarms.size}`]),
    ...(hub.cancelled === cancelled ? [] : [`${hub.cancelled} were cancelled, of ${cancelled}`]),
    ...set.filter(({ due, key }) => due < (hub.alarms.get(key)?.due ?? 0)).map(({ key }) => `${key} is due too early`),
    ...set
      .filter(({ target, key }) => target !== root.id && target !== children.get(`${key.split('.')[0]}.anchor`)?.id)
      .map(({ key }) => `${key} has another target`),
    ...set
      .filter(
        ({ target, event }) =>
          target !== root.id && (decode(event, refs) as { boss: { row: number } }).boss.row !== root.id,
      )
      .map(({ key }) => `the reference in the event of ${key} points elsewhere`),
  ];
}

function judgeWorks({ hub, children, marks }: Left, { works }: Expected): string[] {
  const rows = [...children.keys()].filter((name) => name.includes('work'));
  return [
    ...differences('rows of works', rows, hub.works.keys()),
    ...(hub.done + hub.works.size === works.size
      ? []
      : [`${hub.done} are done and ${hub.works.size} wait, of ${works.size}`]),
    ...differences('marks', marks.values(), works),
  ];
}
