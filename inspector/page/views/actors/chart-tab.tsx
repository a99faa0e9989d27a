/** The chart of an actor, live. */
import { useEffect, useMemo, useRef, useState } from 'preact/hooks';
import type { ChartTransition } from '../../../charts/chart.ts';
import type { ChartDrawing } from '../../../charts/chart-layout.ts';
import { eventText } from '../../../charts/chart-text.ts';
import { childId, type ActorDetail } from '../../../protocol.ts';
import { loadChart, registry } from '../../connection.ts';
import { pageErrorOf, type PageError } from '../../page-error.ts';
import { Empty, Failure } from '../../ui/empty.tsx';
import { Spinner } from '../../ui/spinner.tsx';
import { Countdown } from '../../ui/time.tsx';
import { ChartCanvas } from './chart-canvas.tsx';
import { drawingOfChart, type Direction } from './chart-worker.ts';
import { activeStates, indexed, openTransitions, takenTransitions, type IndexedChart } from './configuration.ts';
import { SendDialog, TakesNow } from './send-dialog.tsx';
import { StepBar, chosenStep, stepOnKey } from './step-bar.tsx';
import { lastMove, type Step } from './steps.ts';
import { usePast } from './use-detail.ts';
import { fitScale } from './viewport.ts';

interface Loaded {
  readonly id: string;
  readonly chart?: IndexedChart;
  readonly drawings?: Readonly<Record<Direction, ChartDrawing>>;
  readonly error?: PageError;
}

function useDrawing(id: string | null): Loaded | null {
  const [loaded, setLoaded] = useState<Loaded | null>(null);
  useEffect(() => {
    if (id === null) return;
    let isOver = false;
    const load = async (): Promise<Loaded> => {
      const chart = indexed(await loadChart(id));
      const [down, right] = await Promise.all([
        drawingOfChart(chart.chart, 'down'),
        drawingOfChart(chart.chart, 'right'),
      ]);
      return { id, chart, drawings: { down, right } };
    };
    load().then(
      (made) => isOver || setLoaded(made),
      (error: unknown) => isOver || setLoaded({ id, error: pageErrorOf(error) }),
    );
    return () => {
      isOver = true;
    };
  }, [id]);
  return loaded?.id === id ? loaded : null;
}

export interface ChartTabProps {
  readonly detail: ActorDetail;
  readonly steps: readonly Step[];
}

export function ChartTab({ detail, steps }: ChartTabProps) {
  const loaded = useDrawing(detail.chart);
  const box = useRef<HTMLDivElement>(null);
  const [turned, setTurned] = useState<Direction | null>(null);
  const [sending, setSending] = useState<string | null>(null);
  const chart = loaded?.chart;
  const chosen = chosenStep();
  const past = usePast(detail.id, chosen);
  const { value, status, timers } = past.data ?? detail;
  const active = useMemo(() => (chart === undefined ? new Set<string>() : activeStates(chart, value)), [chart, value]);
  const open = useMemo(
    () => (chart === undefined ? new Set<string>() : openTransitions(chart, active, status)),
    [chart, active, status],
  );
  const taken = useMemo(() => lastTaken(chart, steps, chosen), [chart, steps, chosen]);

  if (detail.chart === null) {
    return (
      <Empty icon="chart" title="No chart">
        Only state machines have one. What this actor holds is in the other tabs.
      </Empty>
    );
  }
  if (loaded?.error !== undefined) return <Failure code={loaded.error.code} message={loaded.error.message} />;
  const invoked = (id: string): string | null => {
    const ids = [childId(detail.id, id), `${detail.id}/${id}`];
    return ids.find((child) => registry.peek().has(child)) ?? null;
  };
  const canSend = ({ on, event }: ChartTransition): boolean =>
    on === 'event' && (!detail.isInternal || detail.accepts.some(({ type }) => type === event));
  const onTransition = (transition: ChartTransition): void => {
    if (canSend(transition)) setSending(transition.event);
  };
  const direction = turned ?? better(loaded?.drawings, box.current);
  return (
    <div class="chart-tab">
      <div
        class={`chart-box ${chosen === null ? '' : 'is-past'}`}
        ref={box}
        onKeyDown={(event) => stepOnKey(event, steps)}
      >
        <StepBar steps={steps} />
        {loaded?.drawings === undefined || chart === undefined ? (
          <Spinner label="Laying out the chart" />
        ) : (
          <ChartCanvas
            chart={chart}
            drawing={loaded.drawings[direction]}
            active={active}
            open={open}
            taken={taken}
            timers={timers}
            invoked={invoked}
            canSend={canSend}
            onTransition={onTransition}
            isPast={chosen !== null}
            onTurn={() => setTurned(direction === 'down' ? 'right' : 'down')}
          />
        )}
      </div>
      <aside class="chart-side">
        <TakesNow actor={detail} onSend={setSending} />
        {detail.timers.length === 0 ? null : (
          <section class="takes" aria-label="What it waits for">
            <h3>Comes by itself</h3>
            <ul>
              {detail.timers.map((timer) => (
                <li key={`${timer.event} ${timer.due}`} class="takes-timer">
                  <span title={timer.event}>{timerText(timer.event, chart)}</span>
                  <Countdown to={timer.due} />
                </li>
              ))}
            </ul>
          </section>
        )}
      </aside>
      {sending === null ? null : <SendDialog actor={detail} type={sending} onClose={() => setSending(null)} />}
    </div>
  );
}

/** What a timer does: to which state its delay leads, or the event that it sends. */
function timerText(event: string, chart: IndexedChart | undefined): string {
  const transition = chart?.chart.transitions.find(({ on, eventType }) => on === 'after' && eventType === event);
  if (transition === undefined) return event;
  const keyOf = (id: string) => chart?.states.get(id)?.key ?? id;
  const to = transition.targets.map(keyOf).join(', ');
  return `${keyOf(transition.source)} → ${to === '' ? eventText(transition) : to}`;
}

/** The direction in which more of the chart can be read. */
function better(drawings: Loaded['drawings'], box: HTMLElement | null): Direction {
  if (drawings === undefined || box === null) return 'down';
  const pane = { width: box.clientWidth, height: box.clientHeight };
  // From above to below reads better, so it wins when it is nearly as large.
  return fitScale(drawings.right, pane) > fitScale(drawings.down, pane) * 1.15 ? 'right' : 'down';
}

/** The transitions of a step, or of the last: as recorded, else as the states before and after tell. */
function lastTaken(
  chart: IndexedChart | undefined,
  steps: readonly Step[],
  chosen: number | null,
): { at: number; ids: readonly string[] } {
  const at = chosen === null ? lastMove(steps) : steps.findIndex(({ seq }) => seq === chosen);
  const last = steps[at];
  const before = steps[at - 1];
  if (chart === undefined || last === undefined) return { at: -1, ids: [] };
  if (last.transitions.length > 0) {
    const ids = last.transitions.flatMap(({ source, targets }) => {
      const found = chart.chart.transitions.find(
        (one) => one.source === source && one.targets.join('\n') === targets.join('\n') && isFor(one, last.event),
      );
      return found === undefined ? [] : [found.id];
    });
    return { at: last.seq, ids };
  }
  if (before === undefined || before.value === null) return { at: last.seq, ids: [] };
  return { at: last.seq, ids: takenTransitions(chart, { before: before.value, after: last.value, event: last.event }) };
}

function isFor(transition: ChartTransition, event: string): boolean {
  return transition.on === 'always' || transition.eventType === event || transition.event.includes('*');
}
