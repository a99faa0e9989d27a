/** What the view of checkpoints is about, as the URL says it. Pure. */
import type { PastSteps } from '../../../views/past-work.ts';
import { clockText, countText, plural } from '../../format.ts';
import { mayBeKept, placeOf, scaleOf, stopAt, timeOf, type Kept } from './turn-scale.ts';

type Checkpoint = Kept['checkpoints'][number];

/** What a turn held never changes, so it is hardly asked again; what differs from the present does all the time. */
export const OF_THEN = { restMs: 60_000 } as const;
export const OF_NOW = { restMs: 2_000 } as const;

export interface Chosen {
  /** The turn that is looked at. */
  readonly turn: number;
  /** What it is compared with: another turn, or null for the present. */
  readonly other: number | null;
  readonly checkpoint: Checkpoint | undefined;
}

/** What is chosen; of what is not kept any more the nearest that is, and of nothing the newest checkpoint, or the present. */
export function chosenOf(kept: Kept, turnText: string, otherText: string): Chosen {
  const turn = nearestTurn(kept, turnText) ?? kept.checkpoints[0]?.turn ?? kept.turn;
  const asked = nearestTurn(kept, otherText);
  const other = asked === undefined || asked === kept.turn ? null : asked;
  return { turn, other, checkpoint: kept.checkpoints.find((one) => one.turn === turn) };
}

function nearestTurn(kept: Kept, text: string): number | undefined {
  if (!/^\d{1,15}$/.test(text)) return undefined;
  const scale = scaleOf(kept);
  return mayBeKept(Number(text), kept) ? Number(text) : stopAt(placeOf(Number(text), scale), kept, scale);
}

/** Whether a turn is kept without a doubt; of others the server says which one is meant. */
export function isSurelyKept(kept: Kept, turn: number): boolean {
  return turn === kept.turn || kept.checkpoints.some((one) => one.turn === turn);
}

/** `every turn from 1 to 12`, or where numbers are left out `460 turns between 1 and 2 227`. */
export function historyText({ from, to, turns }: NonNullable<Kept['history']>): string {
  if (turns === to - from + 1) return `every turn from ${countText(from)} to ${countText(to)}`;
  return `${plural(turns, 'turn')} between ${countText(from)} and ${countText(to)}`;
}

/** `Turn 1 204 “before the move”`, `the present`. */
export function turnText(kept: Kept, turn: number | null): string {
  if (turn === null || turn === kept.turn) return 'the present';
  const label = kept.checkpoints.find((one) => one.turn === turn)?.label ?? null;
  return `turn ${countText(turn)}${label === null ? '' : ` “${label}”`}`;
}

/** The time of a turn, with `about` where it is only known of its neighbours. */
export function turnTimeText(kept: Kept, turn: number, now: number): string {
  const time = timeOf(turn, kept, now);
  if (time === undefined) return '';
  return `${time.isExact ? '' : 'about '}${clockText(time.at).slice(0, 8)}`;
}

export interface ListFilter {
  readonly text: string;
  readonly reason: string;
  readonly pinnedOnly: boolean;
}

/** The checkpoints that are listed. A text is looked for in labels, turns, reasons, and in what ran. */
export function listed(checkpoints: readonly Checkpoint[], { text, reason, pinnedOnly }: ListFilter): Checkpoint[] {
  const sought = text.trim().toLowerCase();
  return checkpoints.filter((one) => {
    if (reason !== '' && one.reason !== reason) return false;
    if (pinnedOnly && !one.isPinned) return false;
    if (sought === '') return true;
    const words = [one.id, one.label ?? '', one.reason, ...one.tasks.flatMap(({ id, name }) => [id, name])];
    return [...words, ...one.plans.map(({ name }) => name)].some((word) => word.toLowerCase().includes(sought));
  });
}

/** What ran then and what was to do, in one line. */
export function workText({ tasks, plans }: Pick<Checkpoint, 'tasks' | 'plans'>): string {
  const running = tasks.length === 0 ? [] : [`${tasks.length} running`];
  const first = plans[0];
  const left =
    first === undefined ? [] : [`${first.name}${first.unsettled === null ? '' : `: ${first.unsettled} to do`}`];
  const more = plans.length > 1 ? [`${plans.length - 1} more`] : [];
  return [...running, ...left, ...more].join(' · ');
}

/** How the steps of a plan stood, in one line: `3 failed, 2 running, 25 ok of 30`. */
export function standingsText(standings: readonly Pick<PastSteps, 'standing' | 'count'>[]): string {
  const steps = standings.reduce((sum, { count }) => sum + count, 0);
  const parts = standings.map(({ standing, count }) => `${countText(count)} ${standing}`);
  return `${parts.join(', ')} of ${plural(steps, 'step')}`;
}

/** Why a label would be refused; undefined for one that would not. */
export function labelProblem(label: string): string | undefined {
  const text = label.trim();
  if (text === '') return undefined;
  if (/^\d+$/.test(text)) return 'A label of digits alone could be taken for a turn.';
  if (text === 'latest') return 'This would be taken for the newest checkpoint.';
  return undefined;
}
