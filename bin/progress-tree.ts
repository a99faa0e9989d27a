/** How far a plan has come, as a tree for people: a line for each group, fan-out and step. */
import type { PlanProgress } from '../actors/plan-progress.ts';
import { isSuccess } from '../machines/outcome.ts';
import { shownDuration } from './duration.ts';
import type { Paint } from './terminal.ts';
import { textTable } from './text-table.ts';

interface Line {
  readonly name: string;
  readonly of: PlanProgress;
}

/** The tree; nothing for a plan whose steps are in no groups, of which the table says it all. */
export function progressTree(plan: PlanProgress, paint: Paint): string[] {
  if (plan.children.every(({ children }) => children.length === 0)) return [];
  const lines = [...linesOf(plan, '')];
  return textTable(lines, [
    { title: 'progress', of: ({ name }) => name },
    { title: 'done', of: ({ of }) => `${Math.floor(of.done * 100)}%`, align: 'right' },
    { title: 'state', of: ({ of }) => of.state, paint: (text, { of }) => painted(text, of.state, paint) },
    { title: 'steps', of: ({ of }) => stepsText(of) },
    { title: 'left', of: ({ of }) => (of.etaMs === 0 ? '' : `about ${shownDuration(of.etaMs)}`) },
  ]);
}

function* linesOf(of: PlanProgress, indent: string): Generator<Line> {
  yield { name: `${indent}${indent === '' ? of.id : of.id.slice(of.id.lastIndexOf('/') + 1)}`, of };
  for (const child of of.children) yield* linesOf(child, `${indent}  `);
}

function stepsText({ steps: { waiting, running, succeeded, unsuccessful } }: PlanProgress): string {
  const all = waiting + running + succeeded + unsuccessful;
  return all <= 1 ? '' : `${succeeded} of ${all}${unsuccessful === 0 ? '' : `, ${unsuccessful} without success`}`;
}

function painted(text: string, state: PlanProgress['state'], paint: Paint): string {
  if (state === 'waiting' || state === 'skipped') return paint.dim(text);
  if (state === 'running') return text;
  return isSuccess(state) ? paint.good(text) : paint.bad(text);
}
