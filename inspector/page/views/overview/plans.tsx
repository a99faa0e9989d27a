import type { Overview } from '../../../views/overview.ts';
import { percentText, shortId } from '../../format.ts';
import { StateBadge } from '../../ui/badge.tsx';
import { Link, PlanLink } from '../../ui/link.tsx';
import { Meter } from '../../ui/meter.tsx';
import { Panel } from '../../ui/panel.tsx';
import { Time } from '../../ui/time.tsx';

/** Runs of plans, with how far they are. */
export function Plans({ plans, open }: { readonly plans: Overview['plans']; readonly open: number }) {
  if (plans.length === 0) return null;
  return (
    <Panel title="Plans" icon="graph" count={open} flush actions={<Link view="plan">All plans</Link>}>
      <ul class="lines">
        {plans.map((plan) => (
          <li key={plan.id} class="line tall">
            <span class="line-what">
              <PlanLink id={plan.id} name={plan.name === '' ? shortId(plan.id) : plan.name} />
              <span class="line-id cut">
                {plan.name === '' ? '' : `${shortId(plan.id)} · `}begun <Time at={plan.submittedAt} />
              </span>
            </span>
            <span class="line-meter">
              <Meter
                value={plan.done}
                max={plan.steps}
                tone={plan.failed > 0 ? 'failed' : plan.done === plan.steps ? 'ok' : 'running'}
                label={`How far ${plan.id} is`}
                text={`${plan.done} of ${plan.steps} steps`}
              />
              <span class="number faint">
                {plan.done}/{plan.steps} · {percentText(plan.steps === 0 ? 1 : plan.done / plan.steps)}
              </span>
            </span>
            {plan.failed > 0 ? (
              <StateBadge state="failed" title={`${plan.failed} steps failed`} />
            ) : (
              <StateBadge state={plan.state} />
            )}
          </li>
        ))}
      </ul>
    </Panel>
  );
}
