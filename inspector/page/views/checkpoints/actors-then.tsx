import { useEffect, useState } from 'preact/hooks';
import type { ActorDetail } from '../../../protocol.ts';
import type { Past } from '../../../views/past.ts';
import { lastCommitted, loadActor } from '../../connection.ts';
import { plural } from '../../format.ts';
import { param } from '../../location.ts';
import { pageErrorOf, type PageError } from '../../page-error.ts';
import { useView } from '../../use-view.ts';
import { Dot, StateBadge } from '../../ui/badge.tsx';
import { Empty, Failure } from '../../ui/empty.tsx';
import { JsonDiff } from '../../ui/json-diff.tsx';
import { JsonTree } from '../../ui/json-tree.tsx';
import { Link } from '../../ui/link.tsx';
import { Search } from '../../ui/search.tsx';
import { Spinner } from '../../ui/spinner.tsx';
import { SplitPane } from '../../ui/split-pane.tsx';
import { VirtualList } from '../../ui/virtual-list.tsx';
import { toneOf } from '../../tone.ts';
import { actorRows, stateText, type ActorRow } from './actor-tree.ts';
import { OF_THEN } from './turns.ts';

const chosen = param('actor');
const text = param('find');

/** The actors of a turn, and what one of them was then and is now. */
export function ActorsThen({ turn, isPresent }: { readonly turn: number; readonly isPresent: boolean }) {
  const { data, error, reload } = useView<Past>('past', { turn }, OF_THEN);
  if (error !== undefined) return <Failure code={error.code} message={error.message} onRetry={reload} />;
  if (data === undefined) return <Spinner label="Reading the actors of then" />;
  const rows = actorRows(data.actors, text.value);
  const id = chosen.value === '' ? (data.actors[0]?.id ?? '') : chosen.value;
  return (
    <SplitPane id="past-actors" side="right" size={460} label="Width of the actor">
      <div class="cp-actors">
        <Search value={text.value} onInput={(next) => (text.value = next)} label="Search the actors of then" />
        <VirtualList
          items={rows}
          rowHeight={28}
          keyOf={({ actor }) => actor.id}
          label={`${plural(data.actors.length, 'actor')} of turn ${turn}`}
          selected={id}
          onSelect={({ actor }) => (chosen.value = actor.id)}
          empty={<Empty small icon="tree" title="No actor is like this" />}
          row={(row) => <TreeRow row={row} />}
        />
      </div>
      {id === '' ? (
        <Empty small icon="tree" title="There was no actor" />
      ) : (
        <ActorThen key={id} turn={turn} id={id} isPresent={isPresent} />
      )}
    </SplitPane>
  );
}

function TreeRow({ row: { actor, depth } }: { readonly row: ActorRow }) {
  const state = stateText(actor.value);
  return (
    <div class="cp-actor-row" style={{ paddingLeft: `${8 + depth * 16}px` }}>
      <Dot tone={toneOf(actor.status)} label={actor.status} />
      <span class="cp-actor-name" title={actor.id}>
        {actor.name}
      </span>
      {state === '' ? null : <span class="cp-actor-state">{state}</span>}
    </div>
  );
}

/** An actor as it is now; `gone` when it is not there any more. Loaded again when something is committed. */
function usePresent(id: string): {
  readonly detail?: ActorDetail;
  readonly error?: PageError;
  readonly isGone?: boolean;
} {
  const [present, setPresent] = useState<{ detail?: ActorDetail; error?: PageError; isGone?: boolean }>({});
  const turn = lastCommitted.value?.turn;
  useEffect(() => {
    let isOver = false;
    loadActor(id).then(
      (detail) => isOver || setPresent({ detail }),
      (error: unknown) => {
        const known = pageErrorOf(error);
        if (!isOver) setPresent(/NOT_FOUND|UNKNOWN/.test(known.code) ? { isGone: true } : { error: known });
      },
    );
    return () => {
      isOver = true;
    };
  }, [id, turn]);
  return present;
}

function ActorThen({
  turn,
  id,
  isPresent,
}: {
  readonly turn: number;
  readonly id: string;
  readonly isPresent: boolean;
}) {
  const { data, error, reload } = useView<ActorDetail>('past-actor', { turn, id }, OF_THEN);
  const now = usePresent(id);
  if (error !== undefined) return <Failure code={error.code} message={error.message} onRetry={reload} />;
  if (data === undefined) return <Spinner label="Reading the actor of then" />;
  return (
    <div class="cp-actor" tabIndex={0} role="region" aria-label={`Actor ${id} of turn ${turn}`}>
      <header class="cp-actor-head">
        <h3 title={id}>{data.name}</h3>
        <StateBadge state={data.status} />
        {stateText(data.value) === '' ? null : <code class="cp-actor-state">{stateText(data.value)}</code>}
      </header>
      <h4>Context then</h4>
      <JsonTree value={data.context} label={`Context of ${id} in turn ${turn}`} depth={2} />
      {isPresent ? null : (
        <>
          <h4>What changed since</h4>
          <Since then={data} now={now} />
        </>
      )}
    </div>
  );
}

function Since({ then, now }: { readonly then: ActorDetail; readonly now: ReturnType<typeof usePresent> }) {
  if (now.isGone === true) return <p class="cp-note">It is not there any more.</p>;
  if (now.error !== undefined) return <Failure code={now.error.code} message={now.error.message} />;
  if (now.detail === undefined) return <Spinner label="Reading the actor of now" />;
  const of = ({ status, value, context, output }: ActorDetail) => ({ status, value, context, output });
  const [before, after] = [of(then), of(now.detail)];
  if (JSON.stringify(before) === JSON.stringify(after)) return <p class="cp-note">Nothing: it is as it was.</p>;
  return (
    <>
      <JsonDiff before={before} after={after} label={`What changed in ${then.id}`} />
      <p class="cp-note">
        <Link view="actors" params={{ actor: then.id }}>
          Open it as it is now
        </Link>
      </p>
    </>
  );
}
