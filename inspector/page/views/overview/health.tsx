import type { Health } from '../../../../machines/health.ts';
import { toneOf } from '../../tone.ts';
import { StateBadge } from '../../ui/badge.tsx';
import { Icon } from '../../ui/icon.tsx';
import { Panel } from '../../ui/panel.tsx';
import { iconOfTone } from '../../tone.ts';

/** How well each part is, and why when it is not. */
export function HealthPanel({ health }: { readonly health: Health | null }) {
  if (health === null) return null;
  return (
    <Panel title="Health" icon="check" actions={<StateBadge state={health.overall} />}>
      <ul class="subsystems">
        {Object.entries(health.subsystems).map(([name, { status, reasons }]) => (
          <li key={name} class={`subsystem tone-${toneOf(status)}`}>
            <Icon name={iconOfTone(toneOf(status))} size={14} label={status} />
            <span class="subsystem-name">{name}</span>
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
