/** The steps of one actor: its records that made a state, and which state lies before and after each. */
import type { ActorInfo, InspectionRecord, Shown } from '../../../protocol.ts';

export interface Step {
  /** The record that made the state; `seq` of the detail that is asked for. */
  readonly seq: number;
  readonly at: number;
  readonly event: string;
  readonly from: string | null;
  readonly contextChanged: boolean;
  readonly value: Shown;
  /** The event as a whole, where it is known. */
  readonly payload: Shown;
  /** The source and the targets of each transition, where microsteps are recorded. */
  readonly transitions: readonly { readonly source: string; readonly targets: readonly string[] }[];
  readonly ending: ActorInfo['status'] | null;
}

/** The states that an actor went through, the oldest first, as far as the records go back. */
export function stepsOf(records: Iterable<InspectionRecord>, actor: string): readonly Step[] {
  const steps: Step[] = [];
  let sent: Extract<InspectionRecord, { kind: 'event' }> | null = null;
  let transitions: Step['transitions'][number][] = [];
  const add = (record: InspectionRecord, step: Pick<Step, 'event'> & Partial<Step>): void => {
    const { seq, at } = record;
    const known = { from: null, contextChanged: true, value: null, payload: null, ending: null };
    steps.push({ seq, at, ...known, transitions, ...step });
    transitions = [];
  };
  for (const record of records) {
    switch (record.kind) {
      case 'event':
        if (record.actor === actor) sent = record;
        break;
      case 'microstep':
        if (record.actor === actor) transitions.push(...record.transitions);
        break;
      case 'started':
        if (record.actor !== actor) break;
        add(record, { event: 'started', from: record.info.parent, value: record.info.value });
        break;
      case 'snapshot': {
        if (record.actor !== actor) break;
        const { event, value, contextChanged } = record;
        const cause = sent?.event.type === event ? { from: sent.from, payload: sent.event } : {};
        const ending = record.status === 'active' ? null : record.status;
        add(record, { event, value, contextChanged, ending, ...cause });
        break;
      }
      case 'stopped':
        if (record.actor !== actor || steps.at(-1)?.ending === record.status) break;
        add(record, { event: 'stopped', contextChanged: false, ending: record.status });
        break;
      case 'turn': {
        if (record.actor !== actor && !record.changed.includes(actor)) break;
        const cause = record.causes.find(({ to }) => to === actor) ?? record.causes[0];
        add(record, { event: cause?.event?.type ?? cause?.kind ?? 'turn', payload: cause?.event ?? null });
        break;
      }
      default:
    }
  }
  return steps;
}

/** What two states are compared: the one after a step, or the latest, with the one before it or with the present. */
export interface Pair {
  /** After which record; null is the latest. */
  readonly then: number | null;
  /** What it is compared with; null when nothing before it is held. `latest` for "then and now". */
  readonly other: number | 'latest' | null;
}

/** The pair for a chosen step; of none chosen, the last. */
export function pairOf(steps: readonly Step[], chosen: number | null, against: 'before' | 'now'): Pair {
  const at = chosen === null ? steps.length - 1 : steps.findIndex(({ seq }) => seq === chosen);
  if (against === 'now') return { then: chosen, other: 'latest' };
  const before = at > 0 ? steps[at - 1] : undefined;
  return { then: chosen, other: before?.seq ?? null };
}

/** The step that lies some steps from a chosen one; null is the latest, which is beyond the last. */
export function stepFrom(steps: readonly Step[], chosen: number | null, by: number): number | null {
  if (steps.length === 0) return null;
  const last = steps.length - 1;
  // The latest and the last step are the same state, so the first step back leads to the one before the last.
  const at = chosen === null ? last : nearest(steps, chosen);
  const to = Math.max(0, at + by);
  return to >= last ? null : (steps[to]?.seq ?? null);
}

function nearest(steps: readonly Step[], seq: number): number {
  let at = 0;
  for (let index = 0; index < steps.length; index += 1) if ((steps[index]?.seq ?? 0) <= seq) at = index;
  return at;
}
