/** Transitions between the same states are drawn as one line, a bundle, on which the texts of all are written. */
import type { Chart, ChartTransition } from './chart.ts';
import { LINE_HEIGHT, LINE_SIZE, linesOfTransition, textWidth, type ChartLine } from './chart-text.ts';

const GAP = 6;
/** In a bundle of more, what they do is not written. */
const CROWDED = 3;
/** Characters that stand on one line. */
const SHORT = 34;

export type Bundle = readonly [ChartTransition, ...ChartTransition[]];

export interface BundleLabel {
  readonly width: number;
  readonly height: number;
  /** From the upper left corner of the label. */
  readonly parts: readonly {
    readonly transition: ChartTransition;
    readonly top: number;
    readonly height: number;
    readonly lines: readonly (ChartLine & { readonly x: number; readonly y: number })[];
  }[];
}

/** Transitions that stay in their state are in none. */
export function bundlesOf(chart: Chart): Bundle[] {
  const bundles = new Map<string, [ChartTransition, ...ChartTransition[]]>();
  for (const transition of chart.transitions) {
    const { source, targets } = transition;
    if (targets.length === 0) continue;
    const ends = JSON.stringify([source, targets]);
    const bundle = bundles.get(ends);
    if (bundle === undefined) bundles.set(ends, [transition]);
    else bundle.push(transition);
  }
  return [...bundles.values()];
}

/** What is written on a bundle. */
export function labelOf(bundle: Bundle): BundleLabel {
  const isCrowded = bundle.length > CROWDED;
  let width = 0;
  let height = 2;
  const parts = bundle.map((transition) => {
    const top = height;
    const lines = linesOfTransition(transition, isCrowded).map((line, nth, all) => {
      const before = all[nth - 1];
      // A guard stands beside its event where both are short.
      const beside = line.kind === 'guard' && before !== undefined && before.text.length + line.text.length <= SHORT;
      const x = GAP + (beside ? textWidth(`${before.text} `, LINE_SIZE) : 0);
      if (!beside) height += LINE_HEIGHT;
      width = Math.max(width, x + textWidth(line.text, LINE_SIZE) + GAP);
      return { ...line, x, y: height - 4 };
    });
    return { transition, top, height: height - top, lines };
  });
  return { width, height: height + 2, parts };
}
