import { useEffect } from 'preact/hooks';
import { registry } from '../../connection.ts';
import { param, setParams } from '../../location.ts';
import { Empty } from '../../ui/empty.tsx';
import { SplitPane } from '../../ui/split-pane.tsx';
import { ActorPane } from './actor-pane.tsx';
import { ActorTree } from './actor-tree.tsx';
import './actors.css';

function Actors() {
  const actor = param('actor').value;
  const isKnown = registry.value.size > 0;
  // The first root, so that there is something to see.
  useEffect(() => {
    if (actor !== '' || !isKnown) return;
    const root = [...registry.peek().values()].find(({ parent }) => parent === null);
    if (root !== undefined) setParams({ actor: root.id });
  }, [actor, isKnown]);
  return (
    <div class="actors-view">
      <SplitPane id="actors" side="left" size={320} min={200} label="Width of the tree">
        {actor === '' ? (
          <Empty icon="tree" title="No actor is chosen">
            Choose one in the tree to see its chart, its context and its events.
          </Empty>
        ) : (
          <ActorPane key={actor} id={actor} />
        )}
        <ActorTree />
      </SplitPane>
    </div>
  );
}

export const view = { component: Actors };
