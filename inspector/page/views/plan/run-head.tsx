import type { ComponentChildren } from 'preact';
import type { PlanGraph } from '../../../views/plan.ts';
import { give, knownCommands } from '../../command.ts';
import { durationText, plural } from '../../format.ts';
import { overviewNow } from '../../overview-now.ts';
import { toneOf } from '../../tone.ts';
import { Badge } from '../../ui/badge.tsx';
import { Button } from '../../ui/button.tsx';
import { Link } from '../../ui/link.tsx';
import { Elapsed, Time } from '../../ui/time.tsx';
import { actionParams } from '../work/action-commands.ts';
import { tallyOf } from './shape.ts';
import { TallyBar } from './tally-bar.tsx';

/** What a run is called, how far it is, when it will be done, and what can be done to it. */
export function RunHead({ plan }: { readonly plan: PlanGraph }) {
  const tally = tallyOf(plan.graph.filter(({ role }) => role === 'step'));
  const word = plan.kind ?? plan.state;
  const isRun = overviewNow.value?.isOwned !== false;
  return (
    <header class="run-head">
      <div class="run-title">
        <h2 title={plan.id}>{plan.id}</h2>
        <Badge tone={toneOf(word)}>{word}</Badge>
        <span class="faint">{plan.policy}</span>
        <span class="grow" />
        <Link view="timeline" params={{ plan: plan.id, lanes: 'action' }}>
          Timeline
        </Link>
        <Link view="work" params={{ plan: plan.id }}>
          Actions
        </Link>
        <Commands plan={plan} />
      </div>
      <TallyBar tally={tally} label={plan.id} />
      <dl class="run-figures">
        <Figure name="Steps">
          {plan.done} of {plan.steps} settled
          {plan.failed > 0 ? <b class="tone-failed">, {plan.failed} failed</b> : ''}
          {plan.denied > 0 ? <b class="tone-failed">, {plan.denied} denied</b> : ''}
          {plan.skipped > 0 ? `, ${plan.skipped} skipped` : ''}
        </Figure>
        {plan.settledAt !== null ? (
          <Figure name="Took">{durationText(plan.settledAt - plan.submittedAt)}</Figure>
        ) : isRun ? (
          <Figure name="Running for">
            <Elapsed since={plan.submittedAt} />
          </Figure>
        ) : null}
        {plan.etaMs === null ? null : <Figure name="Done in about">{durationText(plan.etaMs)}</Figure>}
        {plan.asking === 0 ? null : (
          <Figure name="Waits for a person" help="How long that takes nobody knows, so nothing is foretold">
            {plural(plan.asking, 'step')}
          </Figure>
        )}
        <Figure
          name="Critical path"
          help="The longest way through the plan: what its steps took from beginning to end, back-offs included, or are thought to take"
        >
          <span class="critical-sign" aria-hidden="true" />
          {durationText(plan.criticalMs)} over {plural(plan.criticalPath.length, 'step')}
        </Figure>
        {plan.speedUp === null ? null : (
          <Figure
            name="Speed-up"
            help="How much faster than one step after the other; the time in which only persons were waited for is left out"
          >
            {plan.speedUp.toFixed(1)}×
          </Figure>
        )}
        <Figure name="Submitted">
          <Time at={plan.submittedAt} />
        </Figure>
      </dl>
    </header>
  );
}

function Figure({
  name,
  help,
  children,
}: {
  readonly name: string;
  readonly help?: string;
  readonly children: ComponentChildren;
}) {
  return (
    <div title={help}>
      <dt>{name}</dt>
      <dd class="number">{children}</dd>
    </div>
  );
}

/** Whether the supervisor begins nothing more. */
function isPaused(): boolean {
  const state = overviewNow.value?.state;
  return state === 'paused' || state === 'pausing';
}

function Commands({ plan }: { readonly plan: PlanGraph }) {
  const isOver = plan.state === 'settled';
  const paused = isPaused();
  const params = (command: string): Record<string, unknown> => actionParams(command, plan.id, knownCommands.peek());
  return (
    <>
      {isOver ? null : (
        <Button
          small
          icon={paused ? 'play' : 'pause'}
          gives
          title="For all plans and actions: nothing more is begun, what runs may end"
          onClick={() => void give(paused ? 'resume' : 'pause')}
        >
          {paused ? 'Resume all' : 'Pause all'}
        </Button>
      )}
      {isOver && plan.failed > 0 ? (
        <Button
          small
          kind="primary"
          icon="retry"
          gives
          title="The steps that failed get another round"
          onClick={() => void give('retry', params('retry'))}
        >
          Retry failed steps
        </Button>
      ) : null}
      {isOver ? null : (
        <Button
          small
          kind="danger"
          icon="cross"
          gives
          title="Ends the run"
          onClick={() =>
            void give('cancel', params('cancel'), {
              question: `The run ${plan.id} is ended: what runs is stopped, what waits is not begun.`,
            })
          }
        >
          Cancel
        </Button>
      )}
    </>
  );
}
