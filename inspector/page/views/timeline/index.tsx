import { useCallback, useEffect, useMemo, useRef, useState } from 'preact/hooks';
import type { Timeline as TimelineData } from '../../../views/timeline.ts';
import { durationText, plural } from '../../format.ts';
import { route, setParams } from '../../location.ts';
import { Badge } from '../../ui/badge.tsx';
import { Button, IconButton } from '../../ui/button.tsx';
import { useNow } from '../../ui/clock.ts';
import { Failure } from '../../ui/empty.tsx';
import { Spinner } from '../../ui/spinner.tsx';
import { Tabs } from '../../ui/tabs.tsx';
import { useView } from '../../use-view.ts';
import { ActionPanel } from '../work/action-detail.tsx';
import { Gantt } from './gantt.tsx';
import type { LaneMode } from './lanes.ts';
import type { Span } from './time-scale.ts';
import { windowOf, windowParams } from './window.ts';
import './timeline.css';

const HOUR = 3_600_000;
const RANGES: readonly { readonly id: string; readonly label: string; readonly ms: number | null }[] = [
  { id: '15m', label: 'last 15 min', ms: HOUR / 4 },
  { id: '1h', label: 'last hour', ms: HOUR },
  { id: '24h', label: 'last day', ms: 24 * HOUR },
  { id: '7d', label: 'last week', ms: 7 * 24 * HOUR },
  { id: '', label: 'all that is known', ms: null },
];
const MODES: readonly LaneMode[] = ['slot', 'plan', 'action'];

/** The window, as it moves; the address follows when it has come to rest. */
function useWindow(): [Span | null, (window: Span | null) => void] {
  const { params } = route.value;
  const asked = `${params['from'] ?? ''} ${params['to'] ?? ''}`;
  const [window, setWindow] = useState(() => windowOf(params));
  const written = useRef(asked);
  const timer = useRef<ReturnType<typeof setTimeout> | undefined>(undefined);
  useEffect(() => {
    if (asked === written.current) return;
    written.current = asked;
    setWindow(windowOf(route.peek().params));
  }, [asked]);
  useEffect(() => () => clearTimeout(timer.current), []);
  const set = useCallback((next: Span | null): void => {
    setWindow(next);
    clearTimeout(timer.current);
    timer.current = setTimeout(() => {
      const { from, to } = windowParams(next);
      written.current = `${from ?? ''} ${to ?? ''}`;
      setParams({ from, to });
    }, 250);
  }, []);
  return [window, set];
}

function Timeline() {
  const { params } = route.value;
  const range = RANGES.find(({ id }) => id === (params['range'] ?? '')) ?? RANGES.at(-1)!;
  const since = useMemo(() => (range.ms === null ? null : Date.now() - range.ms), [range]);
  const plan = params['plan'] ?? null;
  const { data, error, isLoading, reload } = useView<TimelineData>('timeline', { from: since, plan, limit: 2000 });
  const [window, setWindow] = useWindow();
  const mode = MODES.find((one) => one === params['lanes']) ?? (plan === null ? 'slot' : 'action');
  const isCompact = params['compact'] === '1';
  const isCompressed = params['gaps'] !== 'full';
  const selected = params['action'] ?? null;
  const ticking = useNow();
  const rows = data?.rows ?? [];
  const isLive = rows.some(({ parts }) => parts.some(({ to }) => to === null));
  // While nothing goes on, the present is when it was last looked.
  const now = isLive ? ticking : (data?.to ?? ticking);

  return (
    <div class="timeline">
      <div class="timeline-main">
        <div class="toolbar">
          <Tabs
            label="Lanes"
            tabs={[
              { id: 'slot', title: 'By slot' },
              { id: 'plan', title: 'By plan' },
              { id: 'action', title: 'By action' },
            ]}
            selected={mode}
            onSelect={(lanes) => setParams({ lanes })}
          />
          <label class="work-choice">
            <span>Time</span>
            <select
              value={range.id}
              onChange={(event) => {
                setWindow(null);
                setParams({ range: event.currentTarget.value });
              }}
            >
              {RANGES.map(({ id, label }) => (
                <option key={id} value={id}>
                  {label}
                </option>
              ))}
            </select>
          </label>
          {plan === null ? null : (
            <span class="work-chip">
              plan {plan}
              <IconButton
                icon="cross"
                small
                label={`Not only the plan ${plan}`}
                onClick={() => setParams({ plan: null })}
              />
            </span>
          )}
          <Button
            small
            pressed={isCompressed}
            title="Time in which nothing happens is drawn shorter than it was"
            onClick={() => setParams({ gaps: isCompressed ? 'full' : null })}
          >
            Compress idle time
          </Button>
          <Button small pressed={isCompact} onClick={() => setParams({ compact: isCompact ? null : '1' })}>
            Compact
          </Button>
          <span class="grow" />
          {data?.more === true ? (
            <Badge tone="degraded" title="Choose a shorter time, or one plan, to see the rest">
              the first {plural(rows.length, 'action')} only
            </Badge>
          ) : null}
          {window === null ? (
            <span class="faint">{isLive ? 'follows the present' : plural(rows.length, 'action')}</span>
          ) : (
            <>
              <span class="faint number">{durationText(window.to - window.from)}</span>
              <Button small icon="fit" title="Show all again (0)" onClick={() => setWindow(null)}>
                All
              </Button>
            </>
          )}
        </div>
        {error !== undefined && data === undefined ? (
          <Failure code={error.code} message={error.message} onRetry={reload} />
        ) : isLoading ? (
          <div class="timeline-loading">
            <Spinner label="Looking at what was done" />
          </div>
        ) : (
          <Gantt
            rows={rows}
            mode={mode}
            density={isCompact ? 'compact' : 'roomy'}
            isCompressed={isCompressed}
            now={now}
            window={window}
            onWindow={setWindow}
            selected={selected}
            onSelect={(action) => setParams({ action })}
          />
        )}
        <Legend />
      </div>
      {selected === null ? null : <ActionPanel id={selected} onClose={() => setParams({ action: null })} />}
    </div>
  );
}

function Legend() {
  return (
    <div class="legend">
      {LEGEND.map(([look, words]) => (
        <span key={look}>
          <i class={`phase-${look}`} aria-hidden="true" />
          {words}
        </span>
      ))}
      <span class="grow" />
      <span class="faint">
        drag or <kbd>Ctrl</kbd> wheel zooms · <kbd>Shift</kbd> wheel moves · <kbd>0</kbd> all
      </span>
    </div>
  );
}

const LEGEND: readonly (readonly [string, string])[] = [
  ['queued', 'queued'],
  ['running', 'running'],
  ['ok', 'ran well'],
  ['tried', 'a try that failed'],
  ['failed', 'failed'],
  ['degraded', 'degraded'],
  ['back-off', 'back-off'],
  ['asking', 'asking'],
];

export const view = { component: Timeline };
