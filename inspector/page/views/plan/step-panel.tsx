import type { PlanStep } from '../../../views/plan.ts';
import { plural } from '../../format.ts';
import { setParams } from '../../location.ts';
import { Badge } from '../../ui/badge.tsx';
import { IconButton } from '../../ui/button.tsx';
import { Duration } from '../../ui/time.tsx';
import { ActionPanel } from '../work/action-detail.tsx';
import { standingOf, tallyOf } from './shape.ts';
import { tallyText, titleOf, toneOfStanding, wordOf } from './standing.ts';
import { TallyBar } from './tally-bar.tsx';

export interface StepPanelProps {
  readonly step: PlanStep;
  readonly steps: readonly PlanStep[];
  readonly onClose: () => void;
}

/** What is known of a step: its action's details, or what is known of it before it has one. */
export function StepPanel({ step, steps, onClose }: StepPanelProps) {
  if (step.action !== null && step.role === 'step') return <ActionPanel id={step.action} onClose={onClose} />;
  const inside = steps.filter(
    ({ id, parent, role }) => role === 'step' && (parent === step.id || id.startsWith(`${step.id}/`)),
  );
  return (
    <aside class="work-detail" aria-label={`Step ${step.id}`}>
      <header class="work-detail-head">
        <div class="work-detail-names">
          <h2>{titleOf(step)}</h2>
          <code class="work-detail-id">{step.id}</code>
        </div>
        <IconButton icon="cross" small closes label="Close the details" onClick={onClose} />
      </header>
      <div class="work-detail-state">
        <Badge tone={toneOfStanding(standingOf(step))}>{wordOf(step)}</Badge>
        {step.role === 'step' ? null : <Badge>{step.role}</Badge>}
        {step.isCritical ? <Badge tone="accent">on the critical path</Badge> : null}
      </div>
      {step.reason === null ? null : <p class="work-detail-why">{step.reason}</p>}
      {inside.length === 0 ? null : (
        <div class="work-detail-tally">
          <TallyBar tally={tallyOf(inside)} label={step.id} />
          <p class="soft">
            {plural(inside.length, 'step')}: {tallyText(tallyOf(inside))}
          </p>
        </div>
      )}
      <dl class="work-facts">
        {step.estimateMs > 0 ? (
          <div>
            <dt>Estimate</dt>
            <dd>
              <Duration ms={step.estimateMs} />
            </dd>
          </div>
        ) : null}
        <div>
          <dt>Waits for</dt>
          <dd>
            {step.after.length === 0
              ? 'nothing'
              : step.after.map((before) => (
                  <button key={before} type="button" class="link step-link" onClick={() => setParams({ step: before })}>
                    {before}
                  </button>
                ))}
          </dd>
        </div>
      </dl>
    </aside>
  );
}
