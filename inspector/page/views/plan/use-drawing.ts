/** Where everything of a plan lies: at once in columns, and finer as soon as the worker has laid it out. */
import { useEffect, useMemo, useRef, useState } from 'preact/hooks';
import { layout } from '../../layout.ts';
import { drawingOf, elkGraphOf } from './elk-graph.ts';
import { laidOut, type Drawing } from './layers.ts';
import type { Shape } from './shape.ts';

/** So long what was there before stays, while the worker thinks. */
const PATIENCE_MS = 180;

export interface Laid {
  readonly key: string;
  readonly shape: Shape;
  readonly drawing: Drawing;
  /** By whom: `columns` may still be replaced. */
  readonly by: 'columns' | 'elk';
}

/** The same for two shapes that are laid out the same. */
function keyOf({ nodes, edges }: Shape): string {
  return `${nodes.map(({ id, kind, parent }) => `${id}\t${kind}\t${parent}`).join('\n')}\n\n${edges.map(({ id }) => id).join('\n\n')}`;
}

/** The places of a shape; those of the last one, while it thinks. */
export function useDrawing(shape: Shape): Laid {
  const key = useMemo(() => keyOf(shape), [shape]);
  const [laid, setLaid] = useState<Laid>(() => ({ key, shape, drawing: laidOut(shape), by: 'columns' }));
  const latest = useRef(shape);
  latest.current = shape;

  useEffect(() => {
    let isOver = false;
    const wanted = latest.current;
    const columns = laidOut(wanted);
    const patience = setTimeout(() => {
      setLaid((before) => (before.key === key ? before : { key, shape: wanted, drawing: columns, by: 'columns' }));
    }, PATIENCE_MS);
    layout(elkGraphOf(wanted)).then(
      (answer) => {
        if (isOver) return;
        clearTimeout(patience);
        setLaid({ key, shape: wanted, drawing: drawingOf(answer, wanted, columns), by: 'elk' });
      },
      (error: unknown) => {
        // The columns stay, which is what they are for; why is for whoever looks for it.
        console.warn('The plan is drawn in columns, because the layout worker failed.', error);
      },
    );
    return () => {
      isOver = true;
      clearTimeout(patience);
    };
  }, [key]);
  return laid;
}
