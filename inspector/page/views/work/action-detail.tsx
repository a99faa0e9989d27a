import type { ComponentChildren } from 'preact';
import { useEffect, useRef } from 'preact/hooks';
import type { ActionDetail } from '../../../views/work.ts';
import { give, knownCommands } from '../../command.ts';
import { bandText, countText, durationText, percentText } from '../../format.ts';
import { Badge, StateBadge } from '../../ui/badge.tsx';
import { Button, IconButton } from '../../ui/button.tsx';
import { Failure } from '../../ui/empty.tsx';
import { JsonTree } from '../../ui/json-tree.tsx';
import { ActorLink, Link, PlanLink } from '../../ui/link.tsx';
import { Spinner } from '../../ui/spinner.tsx';
import { Countdown, Duration, Time } from '../../ui/time.tsx';
import { useView } from '../../use-view.ts';
import { actionParams, commandLabel } from './action-commands.ts';
import { errorOf } from './error-text.ts';
import { workedMs } from './worked.ts';
import { RetryInPlan } from './retry-in-plan.tsx';
import { standing } from './work-table.tsx';
import './action-detail.css';
import './controls.css';

export interface ActionPanelProps {
  readonly id: string;
  readonly onClose: () => void;
}

/** All that is known of one action, and what can be done to it. */
export function ActionPanel({ id, onClose }: ActionPanelProps) {
  const { data, error, isLoading } = useView<ActionDetail>('action', { id });
  const box = useRef<HTMLElement>(null);
  useEffect(() => {
    if (box.current !== null) box.current.scrollTop = 0;
  }, [id]);
  return (
    <aside ref={box} class="work-detail" aria-label={`Action ${id}`}>
      <header class="work-detail-head">
        <div class="work-detail-names">
          <h2>{data === undefined || data.name === '' ? id.slice(id.lastIndexOf('/') + 1) : data.name}</h2>
          <code class="work-detail-id" title={id}>
            {id}
          </code>
        </div>
        <IconButton
          icon="copy"
          small
          label="Copy the id"
          onClick={() => void navigator.clipboard?.writeText(id).catch(() => {})}
        />
        <IconButton icon="cross" small closes label="Close the details" onClick={onClose} />
      </header>
      {error !== undefined && data === undefined ? <Failure code={error.code} message={error.message} /> : null}
      {isLoading ? <Spinner label="Looking it up" /> : null}
      {data === undefined ? null : <Body action={data} />}
    </aside>
  );
}

function Body({ action }: { readonly action: ActionDetail }) {
  return (
    <>
      <div class="work-detail-state">
        <StateBadge state={standing(action)} />
        {action.retryAt !== null && action.state !== 'settled' ? (
          <span class="soft">
            tried again <Countdown to={action.retryAt} />
          </span>
        ) : null}
        {action.band === null ? null : (
          <Badge tone="neutral" title="How the gate lets it run, by its risk">
            {bandText(action.band)}
          </Badge>
        )}
        {action.via === null ? null : <Badge tone="degraded">via {action.via}</Badge>}
        {action.qualityLoss > 0 ? <Badge tone="degraded">{percentText(action.qualityLoss)} quality lost</Badge> : null}
      </div>
      <Commands action={action} />
      <Times action={action} />
      <ErrorBlock record={action.errorRecord ?? action.error} isOver={action.state === 'settled'} />
      <Facts action={action} />
      <Json title="Input" value={action.input} />
      {action.value === null || action.value === undefined ? null : <Json title="Value" value={action.value} />}
      <Json title="Policy" value={action.policy} isClosed />
    </>
  );
}

function Commands({ action }: { readonly action: ActionDetail }) {
  if (action.commands.length === 0) return null;
  return (
    <div class="work-detail-commands">
      {action.commands.map((command) => (
        <Button
          key={command}
          small
          kind={command === 'cancel' || command === 'deny' || command === 'discard' ? 'danger' : 'plain'}
          gives
          title={knownCommands.value.find(({ name }) => name === command)?.help ?? ''}
          onClick={() => void give(command, actionParams(command, action.id, knownCommands.peek()))}
        >
          {commandLabel(command)}
        </Button>
      ))}
      {action.plan !== null && action.canRetryPlan ? <RetryInPlan plan={action.plan} /> : null}
    </div>
  );
}

/** How its time was spent, as one bar. */
function Times({ action }: { readonly action: ActionDetail }) {
  const { submittedAt, startedAt, settledAt } = action;
  const workMs = workedMs(action);
  const waited = startedAt === null ? null : Math.max(0, startedAt - submittedAt);
  const took = startedAt === null || settledAt === null ? null : Math.max(0, settledAt - startedAt);
  const between = took === null ? null : Math.max(0, took - workMs);
  const all = (waited ?? 0) + (took ?? 0);
  const parts = [
    { name: 'waited', ms: waited, phase: 'queued' },
    { name: 'worked', ms: took === null ? (workMs > 0 ? workMs : null) : Math.min(workMs, took), phase: 'running' },
    { name: 'between tries', ms: between === null || action.attempts < 2 ? null : between, phase: 'back-off' },
  ] as const;
  return (
    <div class="work-times">
      {all > 0 && took !== null ? (
        <div class="work-times-bar" aria-hidden="true">
          {parts.map(({ name, ms, phase }) =>
            ms === null || ms <= 0 ? null : <span key={name} class={`phase-${phase}`} style={{ flexGrow: ms / all }} />,
          )}
        </div>
      ) : null}
      <div class="work-times-text">
        {parts.map(({ name, ms, phase }) =>
          ms === null ? null : (
            <span key={name}>
              <i class={`phase-${phase}`} aria-hidden="true" />
              {name} <b class="number">{durationText(ms)}</b>
            </span>
          ),
        )}
      </div>
    </div>
  );
}

function ErrorBlock({ record, isOver }: { readonly record: unknown; readonly isOver: boolean }) {
  const error = errorOf(record);
  if (error === null) return null;
  return (
    <section class="work-detail-error" aria-label="Error">
      <div class="work-detail-error-head">
        <Badge tone={isOver ? 'failed' : 'retrying'}>{error.name}</Badge>
        {error.code === null ? null : <code>{error.code}</code>}
        {error.class === null ? null : <span class="soft">{error.class}</span>}
      </div>
      <p>{error.message}</p>
      {error.rest === '' ? null : (
        <details>
          <summary>{error.lines === 1 ? '1 more line' : `${countText(error.lines)} more lines`}</summary>
          <pre tabIndex={0}>{error.rest}</pre>
        </details>
      )}
      {error.fingerprint === null ? null : (
        <code class="faint" title="The same for the same fault">
          fault {error.fingerprint}
        </code>
      )}
    </section>
  );
}

function Facts({ action }: { readonly action: ActionDetail }) {
  return (
    <dl class="work-facts">
      <Fact name="Tries">{countText(action.attempts)}</Fact>
      <Fact name="Queue">{action.key === null ? action.queue : `${action.queue} · key ${action.key}`}</Fact>
      <Fact name="Plan">{action.plan === null ? null : <PlanLink id={action.plan} />}</Fact>
      <Fact name="Actor">{action.actor === null ? null : <ActorLink id={action.actor} />}</Fact>
      <Fact name="Slot">{action.slot}</Fact>
      <Fact name="Goes well">{action.score === null ? null : `${percentText(action.score)} by the gate`}</Fact>
      <Fact name="Submitted">
        <Time at={action.submittedAt} />
      </Fact>
      <Fact name="Started">{action.startedAt === null ? null : <Time at={action.startedAt} />}</Fact>
      <Fact name="Settled">{action.settledAt === null ? null : <Time at={action.settledAt} />}</Fact>
      <Fact name="Not before">{action.notBefore === null ? null : <Time at={action.notBefore} />}</Fact>
      <Fact name="Wanted by">{action.dueAt === null ? null : <Time at={action.dueAt} />}</Fact>
      <Fact name="Work">{workedMs(action) > 0 ? <Duration ms={workedMs(action)} /> : null}</Fact>
      <Fact name="Over time">
        <Link view="timeline" params={{ action: action.id, plan: action.plan }}>
          show in the timeline
        </Link>
      </Fact>
    </dl>
  );
}

function Fact({ name, children }: { readonly name: string; readonly children: ComponentChildren }) {
  if (children === null || children === undefined) return null;
  return (
    <div>
      <dt>{name}</dt>
      <dd>{children}</dd>
    </div>
  );
}

function Json({
  title,
  value,
  isClosed = false,
}: {
  readonly title: string;
  readonly value: unknown;
  readonly isClosed?: boolean;
}) {
  return (
    <details class="work-detail-json" open={!isClosed}>
      <summary>{title}</summary>
      <JsonTree value={value} label={title} depth={2} />
    </details>
  );
}
