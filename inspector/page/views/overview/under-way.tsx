import type { ComponentChildren } from 'preact';
import type { ActionNow, Overview } from '../../../views/overview.ts';
import { give } from '../../command.ts';
import { plural, shortId } from '../../format.ts';
import { workingIn } from '../../frame/state-text.ts';
import { Badge } from '../../ui/badge.tsx';
import { Button } from '../../ui/button.tsx';
import { Empty } from '../../ui/empty.tsx';
import { Link, PlanLink } from '../../ui/link.tsx';
import { Panel } from '../../ui/panel.tsx';
import { Countdown, Elapsed, Time } from '../../ui/time.tsx';
import { RetryInPlan } from '../work/retry-in-plan.tsx';

type Props = { readonly overview: Overview };

const SHOWN = 12;
const SHOWN_FAILED = 5;

/** What runs now. */
export function UnderWay({ overview }: Props) {
  const { running, counts } = overview;
  const working = workingIn(counts);
  return (
    <Panel title="Running now" icon="play" count={working} flush actions={<Link view="timeline">Timeline</Link>}>
      {running.length === 0 ? (
        <Empty small icon="play" title="Nothing runs">
          {counts.waiting > 0
            ? `${plural(counts.waiting, 'action')} waiting for a slot.`
            : 'An action appears here while it is carried out.'}
        </Empty>
      ) : (
        <ul class="lines">
          {running.slice(0, SHOWN).map((action) => (
            <Running key={action.id} action={action} />
          ))}
          <More count={working - Math.min(SHOWN, running.length)} state="running" />
        </ul>
      )}
    </Panel>
  );
}

function Running({ action }: { readonly action: ActionNow }) {
  return (
    <li class="line">
      <span class="pulse tone-running" aria-hidden />
      <What action={action} />
      <span class="line-end">
        {action.waitsFor === null ? null : <Badge tone="degraded">waits for {action.waitsFor}</Badge>}
        {action.attempt > 1 ? <Badge tone="retrying">attempt {action.attempt}</Badge> : null}
        {action.startedAt === null ? null : (
          <span class="line-time">
            <Elapsed since={action.startedAt} />
          </span>
        )}
      </span>
    </li>
  );
}

function What({ action }: { readonly action: Pick<ActionNow, 'id' | 'name'> }) {
  return (
    <span class="line-what">
      <Link view="work" params={{ action: action.id }} class="line-name cut" title={action.id}>
        {action.name}
      </Link>
      <span class="line-id cut">{shortId(action.id)}</span>
    </span>
  );
}

function More({ count, state }: { readonly count: number; readonly state: string }) {
  if (count <= 0) return null;
  return (
    <li class="line">
      <Link view="work" params={{ state }}>
        {count} more
      </Link>
    </li>
  );
}

/** What waits for its next attempt, and what failed for good. */
export function Troubles({ overview, canRetry }: Props & { readonly canRetry: boolean }) {
  const { retrying, failed, counts } = overview;
  if (retrying.length === 0 && failed.length === 0) return null;
  return (
    <Panel
      title="Retrying and failed"
      icon="retry"
      count={counts.backingOff + counts.deadLetters}
      flush
      actions={<Link view="dead-letters">Dead letters</Link>}
    >
      <ul class="lines">
        {retrying.slice(0, SHOWN).map((action) => (
          <Retrying key={action.id} action={action} canRetry={canRetry} />
        ))}
        <More count={counts.backingOff - Math.min(SHOWN, retrying.length)} state="retrying" />
        {failed.slice(0, SHOWN_FAILED).map((action) => (
          <Failed key={action.id} action={action} canRetry={canRetry} />
        ))}
        {counts.deadLetters <= SHOWN_FAILED ? null : (
          <li class="line">
            <Link view="dead-letters">All {counts.deadLetters} dead letters</Link>
          </li>
        )}
      </ul>
    </Panel>
  );
}

function Retrying({ action, canRetry }: { readonly action: ActionNow; readonly canRetry: boolean }) {
  return (
    <Trouble state="retrying" action={action}>
      <span class="line-time">
        attempt {action.attempt + 1} {action.retryAt === null ? 'soon' : <Countdown to={action.retryAt} />}
      </span>
      {canRetry ? (
        <Button
          gives
          small
          icon="retry"
          title="Begin the next attempt now"
          onClick={() => void give('retry', { id: action.id })}
        >
          Retry now
        </Button>
      ) : null}
    </Trouble>
  );
}

function Failed({ action, canRetry }: { readonly action: Overview['failed'][number]; readonly canRetry: boolean }) {
  return (
    <Trouble state="failed" action={action}>
      <span class="line-time">
        {plural(action.attempts, 'attempt')}, <Time at={action.at} />
      </span>
      {!canRetry ? null : action.plan === null ? (
        <Button
          gives
          small
          icon="queue"
          title="Queue it again; its attempts count from 0"
          onClick={() => void give('requeue', { ids: [action.id] })}
        >
          Requeue
        </Button>
      ) : (
        <InPlan plan={action.plan} canRetry={action.canRetryPlan} />
      )}
    </Trouble>
  );
}

/** A step of a plan has another round with its plan; one that went well meanwhile needs none. */
function InPlan({ plan, canRetry }: { readonly plan: string; readonly canRetry: boolean }) {
  return canRetry ? <RetryInPlan plan={plan} /> : <PlanLink id={plan} name="Its plan" />;
}

function Trouble({ state, action, children }: TroubleProps) {
  return (
    <li class="line tall">
      <Badge tone={state}>{state}</Badge>
      <span class="grow stack tight">
        <What action={action} />
        {action.error === null ? null : (
          <span class="line-error cut" title={action.error}>
            {action.error}
          </span>
        )}
      </span>
      <span class="line-end">{children}</span>
    </li>
  );
}

interface TroubleProps {
  readonly state: 'retrying' | 'failed';
  readonly action: ActionNow | Overview['failed'][number];
  readonly children: ComponentChildren;
}
