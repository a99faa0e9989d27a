/** What was done when: `GET /v1/views/timeline?from=&to=&plan=&limit=`. */
import type { OutcomeKind } from '../../machines/outcome.ts';

/** A part of an action's time. */
export interface TimelinePart {
  readonly phase: 'queued' | 'running' | 'back-off' | 'asking';
  readonly from: number;
  /** Null while it lasts. */
  readonly to: number | null;
}

export interface TimelineRow {
  readonly id: string;
  readonly name: string;
  readonly plan: string | null;
  readonly slot: number | null;
  readonly kind: OutcomeKind | null;
  readonly attempts: number;
  readonly parts: readonly TimelinePart[];
}

export interface Timeline {
  readonly from: number;
  readonly to: number;
  /** In the order in which they began; at most 2,000. */
  readonly rows: readonly TimelineRow[];
  readonly more: boolean;
}
