import type { PlanProfile } from '../../../../actors/profile-report.ts';
import type { Findings, HotPath, Recommendation } from '../../../../machines/profile-report.ts';
import { percentText, plural } from '../../format.ts';
import { PlanLink } from '../../ui/link.tsx';
import { Empty } from '../../ui/empty.tsx';
import { Panel } from '../../ui/panel.tsx';
import {
  factorText,
  PART_WORDS,
  pathPieces,
  spanText,
  summaryText,
  worthText,
  type PathPart,
} from './profile-words.ts';

/** What to look at first, and what a cure is worth. */
export function Recommendations({
  recommendations,
  onPick,
}: {
  readonly recommendations: readonly Recommendation[];
  readonly onPick: (name: string) => void;
}) {
  return (
    <Panel title="Look at first" icon="bolt" count={recommendations.length}>
      {recommendations.length === 0 ? (
        <Empty small icon="check" title="Nothing stands out" />
      ) : (
        <ol class="pf-cures">
          {recommendations.map((one) => (
            <li key={`${one.operation} ${one.reason}`}>
              <div class="pf-cure-head">
                <button type="button" class="pf-pick" onClick={() => onPick(one.operation)}>
                  {one.operation}
                </button>
                <span class="pf-worth" title={worthText(one)}>
                  {one.mostSpeedUp === null ? '' : `up to ${factorText(one.mostSpeedUp)}`}
                </span>
              </div>
              <div class="pf-cure-bar" role="img" aria-label={worthText(one)}>
                <span style={{ transform: `scaleX(${Math.min(1, one.share)})` }} />
              </div>
              <p>{one.reason}</p>
            </li>
          ))}
        </ol>
      )}
    </Panel>
  );
}

/** The ways on which most time goes. */
export function HotPaths({
  paths,
  onPick,
}: {
  readonly paths: readonly HotPath[];
  readonly onPick: (path: readonly string[]) => void;
}) {
  return (
    <Panel title="Hot paths" icon="flame" count={paths.length}>
      {paths.length === 0 ? (
        <Empty small icon="flame" title="No way takes a tenth of all work" />
      ) : (
        <ul class="pf-paths">
          {paths.map((one) => (
            <li key={JSON.stringify(one.path)}>
              <button type="button" class="pf-path" title="Zoom the flame graph to it" onClick={() => onPick(one.path)}>
                <span class="pf-path-share">{percentText(one.share)}</span>
                <span class="pf-path-way">
                  {one.path.map((name, i) => (
                    <span key={i} class={i === one.path.length - 1 ? 'last' : ''}>
                      {name}
                    </span>
                  ))}
                </span>
                <span class="pf-path-time">{spanText(one.selfMs)}</span>
              </button>
            </li>
          ))}
        </ul>
      )}
    </Panel>
  );
}

/** In a sentence: how much there was, and how few operations make up most of it. */
export function findingsText({ spans, workMs, bottlenecks, operations }: Findings): string {
  const most =
    bottlenecks.length === 0
      ? ''
      : ` ${plural(bottlenecks.length, 'operation')} of ${operations.length} ${bottlenecks.length === 1 ? 'makes' : 'make'} up 80 % of it.`;
  return `${plural(Math.round(spans), 'call')}, ${spanText(workMs)} of work.${most}`;
}

const PARTS: readonly PathPart[] = ['ran', 'waited', 'backedOff', 'heldUp'];

/** A run of a plan: its critical path, and what has become slower. */
export function PlanFindings({ plan }: { readonly plan: PlanProfile }) {
  const { summary, regressions, earlierRuns } = plan;
  const pieces = pathPieces(summary);
  return (
    <Panel title="Critical path" icon="graph" actions={<PlanLink id={plan.id} name="Open the plan" />}>
      <p class="pf-plan-text">{summaryText(summary)}</p>
      <div
        class="pf-path-line"
        role="img"
        aria-label={`The critical path: ${pieces.map(({ step, part, ms }) => `${step} ${PART_WORDS[part]} ${spanText(ms)}`).join(', ')}`}
      >
        {pieces.map(({ step, part, ms, left, width }) => (
          <span
            key={`${step} ${part}`}
            class={`pf-piece ${part}`}
            style={{ left: `${left * 100}%`, width: `${width * 100}%` }}
            title={`${step} ${PART_WORDS[part]} ${spanText(ms)}: ${percentText(width)}`}
          >
            {width > 0.08 && part === 'ran' ? step : ''}
          </span>
        ))}
      </div>
      <ul class="pf-legend">
        {PARTS.filter((part) => pieces.some((piece) => piece.part === part)).map((part) => (
          <li key={part}>
            <span class={`pf-piece ${part}`} />
            {PART_WORDS[part]}
          </li>
        ))}
      </ul>
      <h3 class="pf-slower-title">Slower than before</h3>
      {earlierRuns < 3 ? (
        <p class="pf-plan-text">
          {plural(earlierRuns, 'earlier run')} kept: from three on it is told what has become slower.
        </p>
      ) : regressions.length === 0 ? (
        <p class="pf-plan-text">Nothing is slower than in {plural(earlierRuns, 'earlier run')}.</p>
      ) : (
        <ul class="pf-slower">
          {regressions.map(({ path, ratio, medianMs, beforeMs }) => (
            <li key={JSON.stringify(path)}>
              <strong>{factorText(ratio)}</strong>
              <span class="pf-path-way">
                {path.map((name, i) => (
                  <span key={i} class={i === path.length - 1 ? 'last' : ''}>
                    {name}
                  </span>
                ))}
              </span>
              <span class="pf-path-time">
                {spanText(medianMs)}, before {spanText(beforeMs)}
              </span>
            </li>
          ))}
        </ul>
      )}
    </Panel>
  );
}
