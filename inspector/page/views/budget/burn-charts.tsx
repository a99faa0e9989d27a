import { useState } from 'preact/hooks';
import type { WindowReport } from '../../../../actors/budget-report.ts';
import type { BudgetView } from '../../../views/measures.ts';
import { clockText, countText, percentText, plural, timestampText } from '../../format.ts';
import { Badge, type Tone } from '../../ui/badge.tsx';
import { rounded } from '../resources/amounts.ts';
import {
  arcPath,
  axisTimes,
  burnDown,
  burnPlace,
  failuresText,
  gaugeOf,
  tierWords,
  windowWords,
} from './burn-figures.ts';

const SIZE = 200;
const RADIUS = 84;

/** What is left of the budget, as an arc. */
export function Gauge({ spent, tone }: { readonly spent: number; readonly tone: Tone }) {
  const { remaining, text } = gaugeOf(spent);
  const line = (part: number, name: string) => <path class={name} d={arcPath(part, RADIUS, SIZE / 2)} />;
  return (
    <svg class={`bu-gauge tone-${tone}`} viewBox={`0 0 ${SIZE} 172`} role="img" aria-label={text}>
      {line(1, 'bu-gauge-all')}
      {remaining > 0 ? line(remaining, 'bu-gauge-left') : null}
      <text class="bu-gauge-figure" x={SIZE / 2} y={108}>
        {percentText(remaining)}
      </text>
      <text class="bu-gauge-word" x={SIZE / 2} y={132}>
        {spent > 1 ? `${rounded(spent)}× spent` : 'left'}
      </text>
    </svg>
  );
}

const WIDTH = 640;
const HEIGHT = 180;

export interface BurnDownProps {
  readonly series: BudgetView['series'];
  readonly tone: Tone;
}

/** What was left over the period, and below it what went well and what did not. */
export function BurnDown({ series, tone }: BurnDownProps) {
  const [read, setRead] = useState<number | null>(null);
  const points = burnDown(series);
  const first = points[0];
  const last = points.at(-1);
  if (first === undefined || last === undefined) return null;
  const span = Math.max(1, last.at - first.at);
  const x = (at: number): number => ((at - first.at) / span) * WIDTH;
  const y = (left: number): number => (1 - left) * HEIGHT;
  const line = points.map(({ at, left }) => `${x(at).toFixed(1)} ${y(left).toFixed(1)}`).join(' L ');
  const shown = read === null ? undefined : series[read];
  const step = Math.min(16, WIDTH / Math.max(1, series.length - 1));
  const most = Math.max(1, ...series.map(({ good, bad }) => good + bad));
  const text = `What is left of the budget: ${percentText(first.left)} at ${shownTime(first.at, span)}, ${percentText(last.left)} at ${shownTime(last.at, span)}, at least ${percentText(Math.min(...points.map(({ left }) => left)))}`;
  const onMove = (event: PointerEvent): void => {
    const box = (event.currentTarget as Element).getBoundingClientRect();
    const place = Math.round(((event.clientX - box.left) / box.width) * (series.length - 1));
    setRead(Math.min(series.length - 1, Math.max(0, place)));
  };
  return (
    <div class="bu-down">
      <p class="bu-read">
        {shown === undefined ? (
          <>over the last {spanWords(span)}</>
        ) : (
          <>
            <strong>{percentText(Math.max(0, 1 - shown.spent))} left</strong> at {shownTime(shown.at, span)} ·{' '}
            {countText(shown.good + shown.bad)} settled, {failuresText(shown.bad)}
          </>
        )}
      </p>
      <div class="bu-plot">
        <div class="bu-scale" aria-hidden>
          <span>100 %</span>
          <span>50 %</span>
          <span>0 %</span>
        </div>
        <div class="bu-plots" onPointerMove={onMove} onPointerLeave={() => setRead(null)}>
          <svg
            class={`bu-line tone-${tone}`}
            viewBox={`0 0 ${WIDTH} ${HEIGHT}`}
            preserveAspectRatio="none"
            role="img"
            aria-label={text}
          >
            {[0, 0.25, 0.5, 0.75].map((left) => (
              <line
                key={left}
                class={left === 0 ? 'bu-grid zero' : 'bu-grid'}
                x1={0}
                x2={WIDTH}
                y1={y(left)}
                y2={y(left)}
              />
            ))}
            <path class="bu-area" d={`M ${line} L ${x(last.at)} ${HEIGHT} L 0 ${HEIGHT} Z`} />
            <path class="bu-stroke" d={`M ${line}`} />
            {shown === undefined ? null : (
              <line class="bu-cursor" x1={x(shown.at)} x2={x(shown.at)} y1={0} y2={HEIGHT} />
            )}
          </svg>
          <svg class="bu-bars" viewBox={`0 0 ${WIDTH} 40`} preserveAspectRatio="none" aria-hidden>
            {series.map(({ at, good, bad }) => {
              const [all, failed] = [((good + bad) / most) * 40, (bad / most) * 40];
              const left = Math.min(WIDTH - step * 0.8, Math.max(0, x(at) - step * 0.4));
              return (
                <g key={at}>
                  <rect class="bu-good" x={left} width={step * 0.8} y={40 - all} height={all} />
                  <rect class="bu-bad" x={left} width={step * 0.8} y={40 - failed} height={failed} />
                </g>
              );
            })}
          </svg>
          <div class="bu-times" aria-hidden>
            {axisTimes(first.at, first.at + span).map((label) => (
              <span key={label}>{label}</span>
            ))}
          </div>
        </div>
      </div>
      <ul class="bu-legend">
        <li>
          <span class="bu-key good" /> went well
        </li>
        <li>
          <span class="bu-key bad" /> failed
        </li>
      </ul>
    </div>
  );
}

/** The time of day, with the day where there are several. */
function shownTime(at: number, span: number): string {
  return span >= 86_400_000 ? timestampText(at).slice(0, 16) : clockText(at).slice(0, span < 300_000 ? 8 : 5);
}

function spanWords(ms: number): string {
  const minutes = Math.round(ms / 60_000);
  return minutes < 90 ? plural(Math.max(1, minutes), 'minute') : plural(Math.round(minutes / 60), 'hour');
}

/** Each pair of windows: how fast both burn, and from where on that counts. */
export function Windows({ windows }: { readonly windows: readonly WindowReport[] }) {
  return (
    <ul class="bu-windows">
      {windows.map((window) => (
        <Window key={`${window.longMs} ${window.shortMs}`} window={window} />
      ))}
    </ul>
  );
}

function Window({ window }: { readonly window: WindowReport }) {
  const { title, isBurning, text } = windowWords(window);
  return (
    <li class={`bu-window ${isBurning ? 'burning' : ''}`}>
      <div class="bu-window-head">
        <strong>{title}</strong>
        {isBurning ? (
          <Badge tone={window.tier === 'fastBurn' ? 'degraded' : 'retrying'}>{tierWords(window.tier).name}</Badge>
        ) : (
          <Badge tone="ok">calm</Badge>
        )}
      </div>
      <Burn
        name="long"
        burn={window.long.burn}
        threshold={window.threshold}
        good={window.long.good}
        bad={window.long.bad}
      />
      <Burn
        name="short"
        burn={window.short.burn}
        threshold={window.threshold}
        good={window.short.good}
        bad={window.short.bad}
      />
      <p>{text}</p>
    </li>
  );
}

interface BurnProps {
  readonly name: string;
  readonly burn: number;
  readonly threshold: number;
  readonly good: number;
  readonly bad: number;
}

function Burn({ name, burn, threshold, good, bad }: BurnProps) {
  const isOver = burn >= threshold;
  const text = `${name} window: ${rounded(burn)}×, counts from ${rounded(threshold)}×; ${failuresText(bad)} of ${countText(good + bad)}`;
  return (
    <div class={`bu-burn ${isOver ? 'over' : ''}`} role="img" aria-label={text} title={text}>
      <span class="bu-burn-name">{name}</span>
      <span class="bu-burn-bar">
        <span style={{ transform: `scaleX(${burnPlace(burn, threshold)})` }} />
        <i />
      </span>
      <span class="bu-burn-figure">{rounded(burn)}×</span>
    </div>
  );
}
