/**
 * What a feed has said since it was last drawn: gathered, so that the page is drawn once for a thousand messages. Pure.
 *
 * I1  Taking in messages one by one or all at once comes to the same.
 * I2  A registry says who there is; records after it change that. The first one of a connection has all in it that happened before the
 *     hello, also what nobody recorded: what is told again of that time changes nothing.
 */
import type { ActorInfo, InspectionRecord, ServerHello, ServerMessage } from '../protocol.ts';

export interface Missed {
  readonly from: number;
  readonly to: number;
  readonly reason: 'slow' | 'gone';
}

export interface Intake {
  readonly hello: ServerHello | null;
  /** Takes the place of the registry there is; of the records, those from `from` on are later than it. */
  readonly registry: { readonly actors: readonly ActorInfo[]; readonly from: number; readonly more: number } | null;
  readonly records: InspectionRecord[];
  readonly missed: Missed[];
  readonly committed: { readonly turn: number; readonly at: number } | null;
  readonly problems: { readonly code: string; readonly message: string }[];
}

export function emptyIntake(): Intake {
  return { hello: null, registry: null, records: [], missed: [], committed: null, problems: [] };
}

/** The intake with a message more. It may be the same object, grown. */
export function take(intake: Intake, message: ServerMessage): Intake {
  switch (message.type) {
    case 'hello':
      return { ...emptyIntake(), hello: message };
    case 'registry':
      return { ...intake, registry: { actors: message.actors, from: intake.records.length, more: moreIn(message) } };
    case 'records':
      for (const record of message.records) intake.records.push(record);
      return intake;
    case 'dropped':
      intake.missed.push({ from: message.from, to: message.to, reason: message.reason });
      return intake;
    case 'committed':
      return { ...intake, committed: { turn: message.turn, at: message.at } };
    case 'error':
      intake.problems.push({ code: message.code, message: message.message });
      return intake;
    case 'answer':
      // Commands are given over HTTP.
      return intake;
    default:
      // A newer server says what this page does not know.
      return intake;
  }
}

/** How many actors there are beside those that a server tells. */
function moreIn(message: object): number {
  const { more } = message as { readonly more?: unknown };
  return typeof more === 'number' ? more : 0;
}

/** How many actors that have ended are still shown. */
const MOST_ENDED = 2_000;

/**
 * Who there is after an intake. The same map when nothing changed.
 *
 * @param connectedAt the number of the next record when the connection began. Default: as the intake says, or 0.
 */
export function registryAfter(
  before: ReadonlyMap<string, ActorInfo>,
  intake: Intake,
  connectedAt = intake.hello?.seq ?? 0,
): ReadonlyMap<string, ActorInfo> {
  const { registry } = intake;
  const records = intake.records.slice(registry?.from ?? 0).filter(({ seq }) => seq >= connectedAt);
  if (registry === null && records.length === 0) return before;
  const known = new Map(registry === null ? before : registry.actors.map((actor) => [actor.id, actor]));
  const hasChanged = changeRegistry(known, records);
  return hasChanged || registry !== null ? known : before;
}

/** Changes who there is by what happened. Says whether anything did. */
function changeRegistry(known: Map<string, ActorInfo>, records: readonly InspectionRecord[]): boolean {
  let hasChanged = false;
  for (const record of records) {
    const next = infoAfter(known.get(record.actor), record);
    if (next === undefined) continue;
    known.set(record.actor, next);
    hasChanged = true;
  }
  if (hasChanged && known.size > MOST_ENDED) forgetEnded(known);
  return hasChanged;
}

function infoAfter(info: ActorInfo | undefined, record: InspectionRecord): ActorInfo | undefined {
  switch (record.kind) {
    case 'started':
      return record.info;
    case 'snapshot':
      return info && { ...info, status: record.status, value: record.value, tags: record.tags, changedAt: record.at };
    case 'stopped':
      return info && { ...info, status: record.status, changedAt: record.at };
    case 'event':
    case 'microstep':
    case 'action':
    case 'turn':
      return undefined;
    default:
      return undefined;
  }
}

/** Those that ended first go first; whoever has a child that is still there stays. */
function forgetEnded(known: Map<string, ActorInfo>): void {
  const ended = [...known.values()].filter(({ status }) => status !== 'active');
  if (ended.length <= MOST_ENDED) return;
  const parents = new Set([...known.values()].map(({ parent }) => parent));
  for (const { id } of ended.slice(0, ended.length - MOST_ENDED)) if (!parents.has(id)) known.delete(id);
}
