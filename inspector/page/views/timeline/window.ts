/** What of the timeline is seen: a span of time, moved and zoomed on the axis, and how it is written in the address. */
import type { Axis, Span } from './time-scale.ts';

/** The window moved by so many pixels to the right. */
export function moved(axis: Axis, window: Span, width: number, px: number): Span {
  const scale = axis.fitting(window, width);
  // Some of what there is stays in sight.
  const left = Math.min(Math.max(scale.x(window.from) + px, -width * 0.8), scale.width - width * 0.2);
  return { from: scale.timeAt(left), to: scale.timeAt(left + width) };
}

/** The window zoomed, with the moment at a place of it staying there. `factor` above 1 shows more. */
export function zoomedAt(axis: Axis, window: Span, width: number, factor: number, px: number): Span {
  const scale = axis.fitting(window, width);
  const at = scale.timeAt(scale.x(window.from) + px);
  const all = axis.fitting(axis.whole, width).msPerPx;
  const next = axis.at(Math.min(scale.msPerPx * factor, all * 1.25));
  const left = next.x(at) - px;
  return { from: next.timeAt(left), to: next.timeAt(left + width) };
}

/** All there is, with a little room at both sides. */
export function whole(axis: Axis, width: number): Span {
  const air = 12;
  const scale = axis.fitting(axis.whole, Math.max(1, width - 2 * air));
  return { from: scale.timeAt(-air), to: scale.timeAt(scale.width + air) };
}

/** The window that an address asks for; null when it asks for none, or for one that is no span. */
export function windowOf(params: Readonly<Record<string, string | undefined>>): Span | null {
  const { from, to } = params;
  if (from === undefined || to === undefined || from === '' || to === '') return null;
  const span = { from: Number(from), to: Number(to) };
  return Number.isFinite(span.from) && Number.isFinite(span.to) && span.to > span.from ? span : null;
}

/** As exact as the address needs it: to a hundredth of a ms where somebody looks that close. */
export function windowParams(window: Span | null): { from: string | null; to: string | null } {
  if (window === null) return { from: null, to: null };
  const exact = window.to - window.from < 100 ? 2 : 0;
  return { from: window.from.toFixed(exact), to: window.to.toFixed(exact) };
}
