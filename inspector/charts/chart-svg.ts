/** A drawing of a chart as an SVG that stands alone: light or dark as its reader has it, and of all text nothing but text. */
import type { Chart, ChartState } from './chart.ts';
import { eventText, textOfTransition } from './chart-text.ts';
import type { ChartDrawing, DrawnInitial, DrawnLine, DrawnState, DrawnTransition, Point } from './chart-layout.ts';

const STYLE = `
svg { font-family: ui-sans-serif, system-ui, sans-serif; color-scheme: light dark;
  --paper: #ffffff; --ink: #1c2024; --quiet: #60646c; --line: #8b8d98; --state: #fcfcfd; --inner: #f4f5f7;
  --edge: #b9bbc6; --event: #0b5cad; --guard: #8a4b00; --action: #3d6b35; }
@media (prefers-color-scheme: dark) { svg {
  --paper: #111113; --ink: #edeef0; --quiet: #a3a7b0; --line: #696e77; --state: #18191b; --inner: #1e2023;
  --edge: #4b4f57; --event: #70b8ff; --guard: #ffb454; --action: #8fce7e; } }
.paper { fill: var(--paper); }
.state { fill: var(--state); stroke: var(--edge); stroke-width: 1.25; }
.odd { fill: var(--inner); }
.parallel { stroke-dasharray: 6 4; }
.ring, .rule { fill: none; stroke: var(--edge); }
.path { fill: none; stroke: var(--line); stroke-width: 1.25; }
.tip, .dot { fill: var(--line); }
.label { fill: var(--paper); opacity: .92; }
text { font-size: 11px; fill: var(--quiet); white-space: pre; }
.name { font-size: 13px; font-weight: 600; fill: var(--ink); }
.event, .internal { fill: var(--event); }
.guard { fill: var(--guard); }
.actions, .entry, .exit { fill: var(--action); }
.description { font-style: italic; }
`;
const CORNER = 6;

/** The SVG of a chart that was laid out. */
export function svgOf(chart: Chart, drawing: ChartDrawing): string {
  const { width, height } = drawing;
  const states = new Map(chart.states.map((state) => [state.id, state]));
  const transitions = new Map(chart.transitions.map((transition) => [transition.id, transition]));
  const titled = ({ id }: DrawnTransition) => {
    const transition = transitions.get(id);
    return transition === undefined ? '' : (transition.description ?? textOfTransition(transition));
  };
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}" role="img">`,
    `<title>${escaped(chart.name)}</title>`,
    `<desc>${escaped(descriptionOf(chart))}</desc>`,
    `<style>${STYLE}</style>`,
    '<defs><marker id="tip" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="8" markerHeight="8" orient="auto">' +
      '<path class="tip" d="M0 .5 7.5 4 0 7.5z"/></marker></defs>',
    `<rect class="paper" width="${width}" height="${height}"/>`,
    ...drawing.states.map((state) => svgOfState(state, states.get(state.id))),
    ...drawing.initials.map(svgOfInitial),
    ...drawing.transitions.flatMap(({ paths }) => paths.map(svgOfPath)),
    ...drawing.transitions.map((transition) => svgOfLabel(transition, titled(transition))),
    '</svg>',
    '',
  ].join('\n');
}

/** For whoever cannot see it. */
function descriptionOf(chart: Chart): string {
  const keys = new Map(chart.states.map(({ id, key }) => [id, key]));
  return chart.transitions
    .filter(({ targets }) => targets.length > 0)
    .slice(0, 200)
    .map((t) => `${keys.get(t.source)} goes to ${t.targets.map((id) => keys.get(id)).join(' and ')}: ${eventText(t)}.`)
    .join(' ');
}

function svgOfState(drawn: DrawnState, state: ChartState | undefined): string {
  const { x, y, width, height, type, header, depth, lines } = drawn;
  const title = state?.description == null ? '' : `<title>${escaped(state.description)}</title>`;
  const parts = [`<g>${title}`];
  if (type === 'history') {
    parts.push(`<circle class="state" cx="${n(x + width / 2)}" cy="${n(y + height / 2)}" r="${n(width / 2)}"/>`);
  } else {
    const classes = `state${depth % 2 === 1 ? ' odd' : ''}${type === 'parallel' ? ' parallel' : ''}`;
    parts.push(rect(classes, { x, y, width, height }, 8));
  }
  if (type === 'final') parts.push(rect('ring', { x: x + 3, y: y + 3, width: width - 6, height: height - 6 }, 6));
  if (header < height) parts.push(`<path class="rule" d="M${n(x)} ${n(y + header)}h${n(width)}"/>`);
  return [...parts, ...lines.map(svgOfLine), '</g>'].join('');
}

function rect(classes: string, box: { x: number; y: number; width: number; height: number }, radius: number): string {
  const { x, y, width, height } = box;
  return `<rect class="${classes}" x="${n(x)}" y="${n(y)}" width="${n(width)}" height="${n(height)}" rx="${radius}"/>`;
}

function svgOfLine({ kind, text, x, y }: DrawnLine): string {
  return `<text class="${kind}" x="${n(x)}" y="${n(y)}">${escaped(text)}</text>`;
}

function svgOfInitial({ dot, path }: DrawnInitial): string {
  return `<circle class="dot" cx="${n(dot.x)}" cy="${n(dot.y)}" r="5"/>${svgOfPath(path)}`;
}

function svgOfPath(points: readonly Point[]): string {
  return `<path class="path" d="${roundedPath(points)}" marker-end="url(#tip)"/>`;
}

function svgOfLabel({ label }: DrawnTransition, title: string): string {
  if (label === null) return '';
  return `<g><title>${escaped(title)}</title>${rect('label', label, 4)}${label.lines.map(svgOfLine).join('')}</g>`;
}

/** The `d` of a path through these points, with round corners. */
export function roundedPath(points: readonly Point[], corner = CORNER): string {
  const [first, ...others] = points;
  if (first === undefined) return '';
  let path = `M${n(first.x)} ${n(first.y)}`;
  let from = first;
  for (const [at, point] of others.entries()) {
    const next = others[at + 1];
    if (next === undefined) {
      path += `L${n(point.x)} ${n(point.y)}`;
      continue;
    }
    const before = towards(point, from, corner);
    const after = towards(point, next, corner);
    path += `L${n(before.x)} ${n(before.y)}Q${n(point.x)} ${n(point.y)} ${n(after.x)} ${n(after.y)}`;
    from = point;
  }
  return path;
}

/** The point at this distance on the way to another, or half of the way when that is nearer. */
function towards(from: Point, to: Point, distance: number): Point {
  const length = Math.hypot(to.x - from.x, to.y - from.y);
  const share = length === 0 ? 0 : Math.min(distance / length, 0.5);
  return { x: from.x + (to.x - from.x) * share, y: from.y + (to.y - from.y) * share };
}

function n(value: number): string {
  return String(Math.round(value * 10) / 10);
}

const ENTITIES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
};

/** As text of XML: what XML cannot hold, such as control characters, becomes a replacement character. */
function escaped(text: string): string {
  return text
    .replaceAll(/\p{Surrogate}|[\ufffe\uffff]/gu, '\ufffd')
    .replaceAll(/\p{Cc}/gu, (character) => ('\t\n\r'.includes(character) ? character : '\ufffd'))
    .replaceAll(/[&<>"']/g, (character) => ENTITIES[character] as string);
}
