/** What something in a chart means, while the pointer is on it. */
import type { ChartState, ChartTransition } from '../../../charts/chart.ts';
import { eventText } from '../../../charts/chart-text.ts';
import type { IndexedChart } from './configuration.ts';
import type { HintPlace } from './hint-place.ts';

export interface Hinted extends HintPlace {
  readonly what:
    | { readonly kind: 'state'; readonly state: ChartState }
    | { readonly kind: 'transition'; readonly transition: ChartTransition };
}

export function ChartHint({
  hinted,
  chart,
  active,
  open,
  canSend,
}: {
  readonly hinted: Hinted;
  readonly chart: IndexedChart;
  readonly active: ReadonlySet<string>;
  readonly open: ReadonlySet<string>;
  readonly canSend: (transition: ChartTransition) => boolean;
}) {
  const { what, x, y, isAbove } = hinted;
  const transform = `translate(${x}px, ${y}px)${isAbove ? ' translateY(-100%)' : ''}`;
  return (
    <div class="chart-hint" role="status" style={{ transform }}>
      {what.kind === 'state' ? (
        <StateHint state={what.state} isActive={active.has(what.state.id)} chart={chart} />
      ) : (
        <TransitionHint
          transition={what.transition}
          isOpen={open.has(what.transition.id)}
          isHere={active.has(what.transition.source)}
          canSend={canSend(what.transition)}
        />
      )}
    </div>
  );
}

function StateHint({
  state,
  isActive,
  chart,
}: {
  readonly state: ChartState;
  readonly isActive: boolean;
  readonly chart: IndexedChart;
}) {
  const initial = state.initial === null ? undefined : chart.states.get(state.initial);
  return (
    <>
      <p class="hint-title">
        {state.key} <span class="faint">{state.type}</span>
      </p>
      <p class="hint-now">{isActive ? 'Active now.' : 'Not active now.'}</p>
      {state.description === null ? null : <p>{state.description}</p>}
      <Facts
        facts={[
          ['id', state.id],
          ['enters', initial?.key ?? ''],
          ['tags', state.tags.join(', ')],
          ['entry', state.entry.join(', ')],
          ['exit', state.exit.join(', ')],
          ['invokes', state.invokes.map(({ id, src }) => (id === src ? src : `${src} as ${id}`)).join(', ')],
        ]}
      />
    </>
  );
}

const COMES: Readonly<Record<ChartTransition['on'], string>> = {
  event: '',
  always: 'Taken at once, as soon as its guard allows.',
  after: 'Comes by itself, after its delay.',
  done: 'Comes when what it waits for is done.',
  error: 'Comes when what it waits for fails.',
};

function TransitionHint({
  transition,
  isOpen,
  isHere,
  canSend,
}: {
  readonly transition: ChartTransition;
  readonly isOpen: boolean;
  readonly isHere: boolean;
  readonly canSend: boolean;
}) {
  const { guard, on } = transition;
  const now = isOpen
    ? guard === null
      ? 'Can be taken now.'
      : 'Can be taken now, if its guard allows.'
    : isHere
      ? 'Not taken: another transition for the same event comes first.'
      : 'Cannot be taken now: its state is not active.';
  return (
    <>
      <p class="hint-title">{eventText(transition)}</p>
      <p class="hint-now">
        {now} {COMES[on]}
      </p>
      {transition.description === null ? null : <p>{transition.description}</p>}
      <Facts
        facts={[
          ['from', transition.source],
          ['to', transition.targets.join(', ') || 'stays where it is'],
          ['guard', guard ?? ''],
          ['actions', transition.actions.join(', ')],
          ['reenters', transition.reenter ? 'its state is left and entered again' : ''],
        ]}
      />
      {on === 'event' && (isOpen || !canSend) ? (
        <p class="faint">
          {canSend ? `Click to send ${transition.event}` : 'Not sent from here: the commands do what it does.'}
        </p>
      ) : null}
    </>
  );
}

function Facts({ facts }: { readonly facts: readonly (readonly [string, string])[] }) {
  return (
    <dl class="hint-facts">
      {facts
        .filter(([, text]) => text !== '')
        .map(([name, text]) => (
          <div key={name}>
            <dt>{name}</dt>
            <dd>{text}</dd>
          </div>
        ))}
    </dl>
  );
}
