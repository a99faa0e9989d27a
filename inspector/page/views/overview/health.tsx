import type { Health, HealthStatus } from '../../../../machines/health.ts';
import { toneOf } from '../../tone.ts';
import { StateBadge } from '../../ui/badge.tsx';
import { Icon } from '../../ui/icon.tsx';
import { Link } from '../../ui/link.tsx';
import { Panel } from '../../ui/panel.tsx';
import { iconOfTone } from '../../tone.ts';

const HEALTH_STATUSES: readonly HealthStatus[] = ['healthy', 'degraded', 'unhealthy'];

/** Where more is told of a part. */
const VIEWS: Readonly<Record<string, string>> = {
  executor: 'work',
  budget: 'budget',
  resources: 'resources',
  gate: 'approvals',
};

/** How well each part is, and why when it is not. */
export function HealthPanel({ health }: { readonly health: Health | null }) {
  if (health === null) return null;
  const parts = Object.entries(health.subsystems).toSorted(
    ([, a], [, b]) => HEALTH_STATUSES.indexOf(b.status) - HEALTH_STATUSES.indexOf(a.status),
  );
  return (
    <Panel title="Health" icon="heart" actions={<StateBadge state={health.overall} />}>
      <ul class="subsystems">
        {parts.map(([name, { status, reasons }]) => (
          <li key={name} class={`subsystem tone-${toneOf(status)}`}>
            <Icon name={iconOfTone(toneOf(status))} size={14} label={status} />
            <span class="subsystem-name">
              {status === 'healthy' || VIEWS[name] === undefined ? name : <Link view={VIEWS[name]}>{name}</Link>}
            </span>
            {reasons.length === 0 ? null : <span class="subsystem-why">{reasons.join('; ')}</span>}
          </li>
        ))}
      </ul>
      {health.recommendations.length === 0 ? null : (
        <ul class="advice">
          {health.recommendations.map((text) => (
            <li key={text}>{text}</li>
          ))}
        </ul>
      )}
    </Panel>
  );
}
