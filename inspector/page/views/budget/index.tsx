import type { BudgetReport } from '../../../../actors/budget-report.ts';
import type { BudgetTier } from '../../../../machines/budget-policy.ts';
import type { BudgetView } from '../../../views/measures.ts';
import { countText, durationText, percentText } from '../../format.ts';
import { useView } from '../../use-view.ts';
import { Badge, type Tone } from '../../ui/badge.tsx';
import { useNow } from '../../ui/clock.ts';
import { Empty, Failure } from '../../ui/empty.tsx';
import { Link } from '../../ui/link.tsx';
import { Panel } from '../../ui/panel.tsx';
import { Spinner } from '../../ui/spinner.tsx';
import { rounded } from '../resources/amounts.ts';
import { BurnDown, Gauge, Windows } from './burn-charts.tsx';
import {
  concentrationText,
  failuresText,
  faultTimes,
  goneInMs,
  heldText,
  tierWords,
  trendText,
  weightText,
} from './burn-figures.ts';
import './budget.css';

const TONES: Readonly<Record<BudgetTier, Tone>> = {
  healthy: 'ok',
  slowBurn: 'retrying',
  fastBurn: 'degraded',
  exhausted: 'failed',
};

const WEIGHED = 'What was degraded or recovered is counted as a part of a failure';

/** How much may still go wrong, how fast that goes, and of what. */
function Budget() {
  const { data, error, reload } = useView<BudgetView>('budget', {}, { restMs: 1_000 });
  if (data === undefined) {
    if (error !== undefined) return <Failure code={error.code} message={error.message} onRetry={reload} />;
    return <Spinner label="Reading the budget" />;
  }
  const { report, series } = data;
  if (report === null) {
    return (
      <Empty icon="budget" title="Nothing was counted yet">
        <p>
          The budget is the part of the actions that may fail. Once some have settled it is drawn here how much of it is
          left.
        </p>
      </Empty>
    );
  }
  const tier = data.tier ?? report.tier;
  return (
    <div class="bu">
      <Standing report={report} tier={tier} />
      <Panel title="What was left" icon="timeline" class="bu-wide">
        {series.length < 2 ? (
          <Empty small icon="timeline" title="Too little has happened to draw it" />
        ) : (
          <BurnDown series={series} tone={TONES[tier]} />
        )}
      </Panel>
      {report.windows.length === 0 ? null : (
        <Panel title="How fast it burns" icon="flame">
          <p class="bu-help">
            1× uses up the budget exactly in {durationText(report.periodMs)}. A pair counts when both its windows burn
            as fast as its mark.
          </p>
          <Windows windows={report.windows} />
        </Panel>
      )}
      <Faults report={report} newest={data.newest} />
    </div>
  );
}

function Standing({ report, tier }: { readonly report: BudgetReport; readonly tier: BudgetTier }) {
  const { name, effect } = tierWords(tier);
  const { spent, good, bad, burn, periodMs, windows } = report;
  const isCount = windows.length === 0;
  const gone = isCount ? undefined : goneInMs(burn, spent, periodMs);
  const held = heldText(tier, report.tier);
  return (
    <section class={`bu-standing tone-${TONES[tier]}`} aria-label="Where the budget stands">
      <Gauge spent={spent} tone={TONES[tier]} />
      <div class="bu-standing-text">
        <div class="bu-tier">
          <h1>Error budget</h1>
          <Badge tone={TONES[tier]}>{name}</Badge>
        </div>
        <p class="bu-effect">{effect}</p>
        {held === undefined ? null : <p class="bu-held">{held}</p>}
        <dl class="bu-facts">
          <div>
            <dt>{isCount ? 'Failures in the last hour' : 'Failed'}</dt>
            <dd title={WEIGHED}>
              {weightText(bad)}{' '}
              {isCount ? null : (
                <span>
                  of {countText(good + bad)} in {durationText(periodMs)}
                </span>
              )}
            </dd>
          </div>
          <div>
            <dt>{isCount ? 'Part of what is allowed' : 'Burns at'}</dt>
            <dd>
              {rounded(burn)}× {gone === undefined ? null : <span>gone in {durationText(gone)} if it goes on</span>}
            </dd>
          </div>
          <div>
            <dt>Trend</dt>
            <dd class={`bu-trend ${report.trend.direction}`}>
              {{ rising: '↗ rising', steady: '→ steady', falling: '↘ falling' }[report.trend.direction]}
            </dd>
          </div>
        </dl>
        <p class="bu-trend-text">{trendText(report.trend)}</p>
      </div>
    </section>
  );
}

function Faults({ report, newest }: { readonly report: BudgetReport; readonly newest: BudgetView['newest'] }) {
  const { faults } = report;
  const now = useNow();
  return (
    <Panel
      title="What fails most"
      icon="notice"
      count={faults.length}
      actions={<Link view="dead-letters">Dead letters</Link>}
    >
      {faults.length === 0 ? (
        <Empty small icon="check" title="Nothing has failed">
          In the last {durationText(report.periodMs)}.
        </Empty>
      ) : (
        <>
          <p class="bu-help">{concentrationText(faults)}</p>
          <ul class="bu-faults">
            {faults.map((fault) => (
              <li key={fault.fingerprint}>
                <div class="bu-fault-head">
                  <code>{fault.class ?? 'fault'}</code>
                  {fault.component === null ? null : <Badge icon="cpu">{fault.component}</Badge>}
                  {fault.isNew ? (
                    <Badge tone="accent" title="It was not seen before lately">
                      new
                    </Badge>
                  ) : null}
                  <span class="bu-fault-count" title={WEIGHED}>
                    {failuresText(fault.n)} · {percentText(fault.share)}
                  </span>
                </div>
                <div class="bu-fault-bar" aria-hidden>
                  <span style={{ transform: `scaleX(${fault.share})` }} />
                </div>
                {newest[fault.fingerprint] === undefined ? null : (
                  <p class="bu-fault-text">{newest[fault.fingerprint]?.text}</p>
                )}
                <p title={`Fault ${fault.fingerprint}`}>{faultTimes(fault, newest[fault.fingerprint]?.at, now)}</p>
              </li>
            ))}
          </ul>
        </>
      )}
    </Panel>
  );
}

export const view = { component: Budget };
