/** The lines between steps, as the paths of an SVG. */
import type { Route } from './layers.ts';

const RADIUS = 8;

function round(number: number): number {
  return Math.round(number * 10) / 10;
}

/** A line through points: with rounded corners; between only two, a curve that leaves and arrives level. */
export function pathOf({ points }: Pick<Route, 'points'>): string {
  const first = points[0];
  const last = points.at(-1);
  if (first === undefined || last === undefined) return '';
  const from = `M${round(first.x)} ${round(first.y)}`;
  if (points.length === 2) {
    if (Math.abs(first.y - last.y) < 1) return `${from}H${round(last.x)}`;
    const reach = Math.max(24, Math.abs(last.x - first.x) / 2);
    const [a, b] = [round(first.x + reach), round(last.x - reach)];
    return `${from}C${a} ${round(first.y)} ${b} ${round(last.y)} ${round(last.x)} ${round(last.y)}`;
  }
  let path = from;
  for (let index = 1; index < points.length - 1; index++) {
    const [before, at, after] = [points[index - 1]!, points[index]!, points[index + 1]!];
    const enter = towards(at, before);
    const leave = towards(at, after);
    path += `L${round(enter.x)} ${round(enter.y)}Q${round(at.x)} ${round(at.y)} ${round(leave.x)} ${round(leave.y)}`;
  }
  return `${path}L${round(last.x)} ${round(last.y)}`;
}

interface Point {
  readonly x: number;
  readonly y: number;
}

/** A little way from one point to another: the radius of a corner, at most half of the way. */
function towards(from: Point, to: Point): Point {
  const length = Math.hypot(to.x - from.x, to.y - from.y);
  const share = length === 0 ? 0 : Math.min(RADIUS, length / 2) / length;
  return { x: from.x + (to.x - from.x) * share, y: from.y + (to.y - from.y) * share };
}
