/**
 * A chart as Mermaid's `stateDiagram-v2`, for READMEs and issues. What Mermaid lacks is written with what it has: history as a state
 * named `H`, entry, exit and invoked actors as notes. It draws lines only between states inside the same state: a line from or to
 * one further inside is drawn from or to what is around that, and says so; one from a whole state into itself begins at
 * `any state`, inside; one between regions of a parallel state is a note.
 */
import type { Chart, ChartState, ChartTransition } from './chart.ts';
import { textOfTransition } from './chart-text.ts';

const LONGEST_LABEL = 200;
const MOST_NOTES = 40;

/** The text of a chart in Mermaid. Names are whatever they are: all of them are escaped. */
export function mermaidOf(chart: Chart): string {
  return `${['stateDiagram-v2', '  direction TB', ...new Writer(chart).lines()].join('\n')}\n`;
}

class Writer {
  readonly #chart: Chart;
  readonly #states: ReadonlyMap<string, ChartState>;
  readonly #names: ReadonlyMap<string, string>;
  /** Lines between states, by the state inside which both are. */
  readonly #inside = new Map<string | null, string[]>();
  /** What cannot be drawn, by the state beside which it is written. */
  readonly #noted = new Map<string, string[]>();
  /** States in which something begins at any state. */
  readonly #any = new Set<string>();

  constructor(chart: Chart) {
    this.#chart = chart;
    this.#states = new Map(chart.states.map((state) => [state.id, state]));
    this.#names = new Map(chart.states.map(({ id }, at) => [id, `s${at}`]));
    for (const transition of chart.transitions) this.#draw(transition);
  }

  lines(): string[] {
    const root = this.#states.get(this.#chart.root);
    return root === undefined ? [] : [...this.#state(root, '  '), ...this.#linesIn(null, '  ')];
  }

  #draw(transition: ChartTransition): void {
    const { source, targets } = transition;
    for (const target of targets) {
      const around = this.#around(source, target);
      if (around !== null && this.#states.get(around)?.type === 'parallel') {
        this.#note(around, `${this.#keyOf(source)}: ${textOfTransition(transition)} → ${this.#keyOf(target)}`);
        continue;
      }
      const from = source === around ? null : this.#childOf(around, source);
      const to = target === around ? this.#firstIn(target) : this.#childOf(around, target);
      const begins = from === null || from === source ? '' : `${this.#keyOf(source)}: `;
      const ends = to === target ? '' : ` → ${this.#keyOf(target)}`;
      const text = labelled(`${begins}${textOfTransition(transition)}${ends}`);
      const line = `${from === null ? this.#anyIn(source) : this.#name(from)} --> ${this.#name(to)} : ${text}`;
      const lines = this.#inside.get(around);
      if (lines === undefined) this.#inside.set(around, [line]);
      else lines.push(line);
    }
    if (targets.length === 0) this.#note(source, textOfTransition(transition));
  }

  #note(id: string, text: string): void {
    const notes = this.#noted.get(id);
    if (notes === undefined) this.#noted.set(id, [text]);
    else notes.push(text);
  }

  /** The child of `around` that is this state, or around it. */
  #childOf(around: string | null, id: string): string {
    let child = id;
    let parent = this.#states.get(id)?.parent ?? null;
    while (parent !== around && parent !== null) {
      child = parent;
      parent = this.#states.get(parent)?.parent ?? null;
    }
    return child;
  }

  #keyOf(id: string): string {
    return this.#states.get(id)?.key ?? id;
  }

  #name(id: string): string {
    return this.#names.get(id) ?? 's0';
  }

  #anyIn(id: string): string {
    this.#any.add(id);
    return `${this.#name(id)}any`;
  }

  /** Whether a state with others inside is the other one, or around it. */
  #isAround(outer: string, inner: string): boolean {
    if ((this.#states.get(outer)?.children.length ?? 0) === 0) return false;
    let state = this.#states.get(inner);
    while (state !== undefined && state.id !== outer) state = this.#parentOf(state);
    return state !== undefined;
  }

  #parentOf({ parent }: ChartState): ChartState | undefined {
    return parent === null ? undefined : this.#states.get(parent);
  }

  /** The child with which a state is entered. */
  #firstIn(id: string): string {
    const state = this.#states.get(id);
    return state?.initial ?? state?.children[0] ?? id;
  }

  /** The innermost state inside which both are; one with others inside is inside itself. */
  #around(source: string, target: string): string | null {
    let state = this.#states.get(source);
    while (state !== undefined && !this.#isAround(state.id, target)) state = this.#parentOf(state);
    return state?.id ?? null;
  }

  #linesIn(id: string | null, indent: string): string[] {
    return (this.#inside.get(id) ?? []).map((line) => indent + line);
  }

  #state(state: ChartState, indent: string): string[] {
    const name = this.#name(state.id);
    const title = state.type === 'history' ? (state.history === 'deep' ? 'H*' : 'H') : state.key;
    const head = `${indent}state "${labelled(title)}" as ${name}`;
    const end = state.type === 'final' ? [`${indent}${name} --> [*]`] : [];
    if (state.children.length === 0) return [head, ...end, ...this.#noteOf(state, indent)];
    const inner = `${indent}  `;
    const parts = state.children.map((id) => this.#state(this.#states.get(id) as ChartState, inner));
    const body = parts.flatMap((lines, at) => (state.type === 'parallel' && at > 0 ? [`${inner}--`, ...lines] : lines));
    return [
      `${head} {`,
      ...(this.#any.has(state.id) ? [`${inner}state "any state" as ${name}any`] : []),
      ...(state.initial === null ? [] : [`${inner}[*] --> ${this.#name(state.initial)}`]),
      ...body,
      ...this.#linesIn(state.id, inner),
      `${indent}}`,
      ...this.#noteOf(state, indent),
    ];
  }

  #noteOf(state: ChartState, indent: string): string[] {
    const texts = [
      ...(state.description === null ? [] : [state.description]),
      ...(state.tags.length === 0 ? [] : [state.tags.map((tag) => `#${tag}`).join(' ')]),
      ...(state.entry.length === 0 ? [] : [`entry / ${state.entry.join(', ')}`]),
      ...(state.exit.length === 0 ? [] : [`exit / ${state.exit.join(', ')}`]),
      ...state.invokes.map(({ src }) => `invoke ${src}`),
      ...(this.#noted.get(state.id) ?? []),
    ];
    if (texts.length === 0) return [];
    const shown = texts.slice(0, MOST_NOTES);
    if (shown.length < texts.length) shown.push(`and ${texts.length - shown.length} more`);
    const lines = shown.map((text) => `${indent}  ${labelled(text).replaceAll(/end note/gi, 'end#32;note')}`);
    return [`${indent}note right of ${this.#name(state.id)}`, ...lines, `${indent}end note`];
  }
}

function labelled(text: string): string {
  const cut = text.length <= LONGEST_LABEL ? text : `${text.slice(0, LONGEST_LABEL - 1)}…`;
  // Mermaid wants a text.
  return quoted(cut.trim() === '' ? '—' : cut);
}

/** Everything but what is surely text as a numbered entity, which Mermaid shows as the character. */
function quoted(text: string): string {
  return text
    .replaceAll(/\p{Surrogate}/gu, '\ufffd')
    .replaceAll(/\s+/gu, ' ')
    .replaceAll(/[^\p{L}\p{N} _.,*/()[\]-]/gu, (character) => `#${character.codePointAt(0)};`);
}
