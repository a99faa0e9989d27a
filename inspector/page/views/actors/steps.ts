/** The steps of one actor: its records that made a state, and which state lies before and after each. */
import type { InspectionRecord } from '../../../protocol.ts';

export interface Step {
  /** The record that made the state; `seq` of the detail that is asked for. */
  readonly seq: number;
  readonly at: number;
  readonly event: string;
  readonly from: string | null;
  readonly contextChanged: boolean;
  readonly value: unknown;
}

/** The states that an actor went through, the oldest first, as far as the records go back. */
export function stepsOf(records: Iterable<InspectionRecord>, actor: string): readonly Step[] {
  const steps: Step[] = [];
  let from: string | null = null;
  let type: string | null = null;
  for (const record of records) {
    if (record.actor !== actor) continue;
    if (record.kind === 'event') {
      from = record.from;
      type = record.event.type;
    } else if (record.kind === 'started') {
      steps.push({
        seq: record.seq,
        at: record.at,
        event: 'started',
        from: record.info.parent,
        contextChanged: true,
        value: record.info.value,
      });
    } else if (record.kind === 'snapshot') {
      steps.push({
        seq: record.seq,
        at: record.at,
        event: record.event,
        from: type === record.event ? from : null,
        contextChanged: record.contextChanged,
        value: record.value,
      });
    } else if (record.kind === 'turn') {
      const cause = record.causes.find(({ to }) => to === actor) ?? record.causes[0];
      steps.push({
        seq: record.seq,
        at: record.at,
        event: cause?.event?.type ?? cause?.kind ?? 'turn',
        from: null,
        contextChanged: true,
        value: null,
      });
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
