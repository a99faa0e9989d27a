/** The selected actor. */
import { useMemo } from 'preact/hooks';
import { registry } from '../../connection.ts';
import { param, setParams } from '../../location.ts';
import { Badge, StateBadge } from '../../ui/badge.tsx';
import { Empty } from '../../ui/empty.tsx';
import { Link } from '../../ui/link.tsx';
import { Spinner } from '../../ui/spinner.tsx';
import { Tabs } from '../../ui/tabs.tsx';
import { Time } from '../../ui/time.tsx';
import { isOf, useRecords } from '../events/use-records.ts';
import { ChartTab } from './chart-tab.tsx';
import { valueText } from './configuration.ts';
import { ContextTab } from './context-tab.tsx';
import { RawTab } from './raw-tab.tsx';
import { RecordsTab } from './records-tab.tsx';
import { stepsOf } from './steps.ts';
import { TimersTab } from './timers-tab.tsx';
import { useDetail } from './use-detail.ts';
import type { ActorDetail, ActorInfo } from '../../../protocol.ts';

export function ActorPane({ id }: { readonly id: string }) {
  const detail = useDetail(id);
  const { items, version } = useRecords(id, (record) => isOf(record, id));
  const steps = useMemo(() => stepsOf(items, id), [items, version, id]);
  const isGone = detail.error !== undefined && detail.error.code !== 'NOT_CONNECTED';
  const info = registry.value.get(id) ?? detail.data;
  const tabs = [
    { id: 'chart', title: 'Chart', icon: 'chart' as const },
    { id: 'context', title: 'Context' },
    { id: 'events', title: 'Events', count: steps.length },
    { id: 'timers', title: 'Timers', count: detail.data?.timers.length ?? 0 },
    { id: 'raw', title: 'Raw' },
  ];
  const first = info?.chart === null ? 'context' : 'chart';
  const asked = param('tab').value;
  const tab = tabs.some((one) => one.id === asked) ? asked : first;
  return (
    <section class="actor-pane" aria-label={`Actor ${id}`}>
      <ActorHead id={id} info={info} isGone={isGone} />
      <Tabs
        tabs={tabs}
        selected={tab}
        onSelect={(to) => setParams({ tab: to === first ? null : to })}
        label="Of this actor"
      />
      <div class="actor-tab" role="tabpanel" aria-label={tabs.find((one) => one.id === tab)?.title}>
        {tab === 'events' ? (
          <RecordsTab actor={id} steps={steps} />
        ) : detail.data !== undefined ? (
          <DetailTab tab={tab} detail={detail.data} steps={steps} />
        ) : detail.error === undefined ? (
          <Spinner label="Loading" />
        ) : (
          <Empty icon="tree" title="This actor is gone">
            {detail.error.message} What is still held of its past is under Events.
          </Empty>
        )}
      </div>
    </section>
  );
}

function DetailTab({
  tab,
  detail,
  steps,
}: {
  readonly tab: string;
  readonly detail: ActorDetail;
  readonly steps: ReturnType<typeof stepsOf>;
}) {
  switch (tab) {
    case 'context':
      return <ContextTab detail={detail} steps={steps} />;
    case 'timers':
      return <TimersTab detail={detail} />;
    case 'raw':
      return <RawTab detail={detail} />;
    default:
      return <ChartTab detail={detail} steps={steps} />;
  }
}

function ActorHead({
  id,
  info,
  isGone,
}: {
  readonly id: string;
  readonly info: ActorInfo | undefined;
  readonly isGone: boolean;
}) {
  const path = pathOf(id);
  return (
    <header class="actor-head">
      <nav class="actor-path" aria-label="Where it is in the tree">
        {path.map((one) => (
          <span key={one}>
            <Link view="actors" params={{ actor: one }} class="crumb">
              {nameOf(one)}
            </Link>
            <span class="faint"> / </span>
          </span>
        ))}
        <h2 title={id}>{info?.name ?? nameOf(id)}</h2>
      </nav>
      {isGone ? (
        <Badge tone="waiting" title="It is not in the tree any more">
          gone
        </Badge>
      ) : info === undefined ? null : (
        <StateBadge state={info.status} />
      )}
      {info === undefined
        ? null
        : (valueText(info.value) || '')
            .split(' · ')
            .filter(Boolean)
            .slice(0, 6)
            .map((state) => (
              <span key={state} class="state-chip mono" title="The state it is in">
                {state}
              </span>
            ))}
      {info?.tags.map((tag) => (
        <span key={tag} class="faint">
          #{tag}
        </span>
      ))}
      <span class="grow" />
      {info?.src === null || info?.src === undefined ? null : (
        <span class="faint">
          of <span class="mono">{info.src}</span>
        </span>
      )}
      {info?.systemId === null || info?.systemId === undefined ? null : (
        <span class="faint">
          known as <span class="mono">{info.systemId}</span>
        </span>
      )}
      {info?.changedAt === null || info?.changedAt === undefined ? null : (
        <span class="faint">
          changed <Time at={info.changedAt} />
        </span>
      )}
      <Link view="events" params={{ actor: id }}>
        In events
      </Link>
    </header>
  );
}

/** The actors above, from the root down. */
function pathOf(id: string): readonly string[] {
  const path: string[] = [];
  for (let at = registry.peek().get(id)?.parent ?? null; at !== null && path.length < 64;) {
    path.unshift(at);
    at = registry.peek().get(at)?.parent ?? null;
  }
  return path;
}

function nameOf(id: string): string {
  return registry.peek().get(id)?.name ?? id.slice(id.lastIndexOf('/') + 1);
}
