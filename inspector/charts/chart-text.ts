/** What is written on a chart, and how large that is, by estimate: what lays out has no fonts. */
import type { ChartState, ChartTransition } from './chart.ts';

/** A line of text on a state or on a transition. */
export interface ChartLine {
  readonly kind:
    'name' | 'description' | 'entry' | 'exit' | 'invoke' | 'tags' | 'event' | 'guard' | 'actions' | 'internal';
  readonly text: string;
  /** Of `internal`: the id of the transition that stays in the state. */
  readonly transition?: string;
}

/** Sizes in px. */
export const NAME_SIZE = 13;
export const LINE_SIZE = 11;
export const LINE_HEIGHT = 16;
export const NAME_HEIGHT = 20;

/** Characters of a line that are shown. */
const LONGEST_LINE = 44;
const LONGEST_LABEL = 30;
const MOST_INVOKES = 24;
/** A state may take a hundred events and stay where it is: they would hide what else there is of the chart. */
const MOST_EVENTS = 8;

/** What is written in a state: its name first. */
export function linesOfState(state: ChartState, internal: readonly ChartTransition[]): ChartLine[] {
  const lines: ChartLine[] = [{ kind: 'name', text: cut(state.key === '' ? '""' : state.key) }];
  const add = (kind: ChartLine['kind'], text: string) => lines.push({ kind, text: cut(text) });
  if (state.description !== null) add('description', state.description);
  if (state.tags.length > 0) add('tags', state.tags.map((tag) => `#${tag}`).join(' '));
  if (state.entry.length > 0) add('entry', `entry / ${state.entry.join(', ')}`);
  if (state.exit.length > 0) add('exit', `exit / ${state.exit.join(', ')}`);
  for (const { id, src } of state.invokes.slice(0, MOST_INVOKES))
    add('invoke', `invoke ${id === src || id.endsWith(`.${state.id}`) ? src : `${src} as ${id}`}`);
  if (state.invokes.length > MOST_INVOKES) add('invoke', `and ${state.invokes.length - MOST_INVOKES} more`);
  for (const transition of internal.slice(0, MOST_EVENTS)) {
    lines.push({ kind: 'internal', text: cut(textOfTransition(transition)), transition: transition.id });
  }
  if (internal.length > MOST_EVENTS) add('internal', `and ${internal.length - MOST_EVENTS} more`);
  return lines;
}

/** What is written on a transition: its event, what it asks, and what it does, where there is room for that. */
export function linesOfTransition(transition: ChartTransition, isCrowded: boolean): ChartLine[] {
  const { guard, actions } = transition;
  const lines: ChartLine[] = [{ kind: 'event', text: cut(eventText(transition), LONGEST_LABEL) }];
  if (guard !== null) lines.push({ kind: 'guard', text: cut(`[${guard}]`, LONGEST_LABEL) });
  if (actions.length > 0 && !isCrowded) {
    lines.push({ kind: 'actions', text: cut(`/ ${actions.join(', ')}`, LONGEST_LABEL) });
  }
  return lines;
}

/** A transition in one line, uncut. */
export function textOfTransition(transition: ChartTransition): string {
  const { guard, actions, targets } = transition;
  const does = actions.length > 0 ? ` / ${actions.join(', ')}` : targets.length === 0 ? ' is ignored' : '';
  return `${eventText(transition)}${guard === null ? '' : ` [${guard}]`}${does}`;
}

/** When a transition is taken. */
export function eventText({ on, event, delay, of, logic, source }: ChartTransition): string {
  if (on === 'always') return 'always';
  if (on === 'after') return `after ${typeof delay === 'number' ? durationText(delay) : (delay ?? '?')}`;
  if (on === 'event') return event === '*' ? 'any event' : event;
  // XState makes up ids of the place in the config: the name of the logic says more.
  return of === null ? on : `${on}: ${logic !== undefined && of.endsWith(`.${source}`) ? logic : of}`;
}

function durationText(ms: number): string {
  if (ms < 1_000 || !Number.isFinite(ms)) return `${ms} ms`;
  if (ms % 3_600_000 === 0) return `${ms / 3_600_000} h`;
  if (ms % 60_000 === 0) return `${ms / 60_000} min`;
  return `${ms / 1_000} s`;
}

/** The width of a text in px, rather too much than too little. */
export function textWidth(text: string, size: number): number {
  let ems = 0;
  for (const character of text) ems += (character.codePointAt(0) as number) < 0x1100 ? emsOf(character) : 1.05;
  return Math.ceil(ems * size);
}

function emsOf(character: string): number {
  if ("ijlI.,:;'|![]() ".includes(character)) return 0.36;
  if ('mwMW@%'.includes(character)) return 0.95;
  return character >= 'A' && character <= 'Z' ? 0.72 : 0.6;
}

/** At most so many characters, and no line breaks. */
function cut(text: string, longest = LONGEST_LINE): string {
  const characters = Array.from(text.slice(0, 4 * longest).replaceAll(/\s+/gu, ' '));
  return characters.length <= longest ? characters.join('') : `${characters.slice(0, longest - 1).join('')}…`;
}
