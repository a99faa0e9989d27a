/** The state of the whole, in a sentence, and in a title. Pure. */
import type { Overview } from '../../views/overview.ts';
import { countText, plural, tickText } from '../format.ts';
import type { Tone } from '../tone.ts';

export interface StateText {
  /** A word, or a few. */
  readonly word: string;
  readonly tone: Tone;
  /** The rest of the sentence. */
  readonly rest: string;
}

/** What somebody should know first. `now` is ms since 1970. */
export function stateText(overview: Overview, now: number): StateText {
  const { state, health, isOwned } = overview;
  const rest = workText(overview, now);
  if (!isOwned) return { word: 'Nobody runs it', tone: 'waiting', rest: `The store has no owner now; ${rest}` };
  if (state.startsWith('paus')) return { word: capital(state), tone: 'waiting', rest };
  if (state !== 'running' && state !== '') return { word: capital(state), tone: 'degraded', rest };
  if (health?.overall === 'unhealthy') return { word: 'Unhealthy', tone: 'failed', rest };
  if (health?.overall === 'degraded') return { word: 'Degraded', tone: 'degraded', rest };
  const { waiting, backingOff, asking } = overview.counts;
  if (workingIn(overview.counts) + waiting > 0) return { word: 'Running', tone: 'running', rest };
  if (backingOff > 0) return { word: 'Waits for retries', tone: 'retrying', rest };
  if (asking > 0) return { word: 'Waits for people', tone: 'asking', rest };
  return { word: 'Idle', tone: 'ok', rest };
}

function workText({ counts, slots, retrying }: Overview, now: number): string {
  const parts = [
    counts.running > 0
      ? `${countText(counts.running)} of ${plural(slots, 'slot')} busy`
      : `${plural(slots, 'slot')} free`,
  ];
  if (counts.waiting > 0) parts.push(`${countText(counts.waiting)} ${counts.waiting === 1 ? 'waits' : 'wait'}`);
  if (counts.delayed > 0) parts.push(`${countText(counts.delayed)} delayed`);
  const next = Math.min(...retrying.flatMap(({ retryAt }) => (retryAt === null ? [] : [retryAt])));
  if (counts.backingOff > 0) {
    const when = Number.isFinite(next) ? (next <= now ? ' now' : ` in ${tickText(next - now + 999)}`) : '';
    parts.push(`${countText(counts.backingOff)} retrying${when}`);
  }
  if (counts.asking > 0) parts.push(`${countText(counts.asking)} ${counts.asking === 1 ? 'asks' : 'ask'} for approval`);
  if (counts.parked > 0) parts.push(`${countText(counts.parked)} parked`);
  if (counts.deadLetters > 0) parts.push(`${plural(counts.deadLetters, 'dead letter')}`);
  return parts.join(' · ');
}

/** How many do something. Those that wait for their next attempt hold a slot, too, and are counted as running by the runtime. */
export function workingIn(counts: Overview['counts']): number {
  return Math.max(0, counts.running - counts.backingOff);
}

/** For the title of the window: what matters, the worst first. */
export function titleText(overview: Overview | null, view: string): string {
  if (overview === null) return `${view} — Perdure`;
  const { counts } = overview;
  const parts: string[] = [];
  if (counts.asking > 0) parts.push(`${counts.asking} asking`);
  const working = workingIn(counts);
  if (working > 0) parts.push(`${working} running`);
  if (counts.backingOff > 0) parts.push(`${counts.backingOff} retrying`);
  if (counts.deadLetters > 0) parts.push(`${counts.deadLetters} failed`);
  return `${parts.length === 0 ? view : parts.join(' · ')} — Perdure`;
}

function capital(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}
