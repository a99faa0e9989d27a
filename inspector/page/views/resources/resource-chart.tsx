import { useEffect, useRef, useState } from 'preact/hooks';
import uPlot from 'uplot';
import type { ResourceSeries } from '../../../views/measures.ts';
import { clockText, percentText } from '../../format.ts';
import { theme } from '../../theme.ts';
import { Badge } from '../../ui/badge.tsx';
import { Icon } from '../../ui/icon.tsx';
import { amountText, ticksOf } from './amounts.ts';
import { readColours, type ChartColours } from './chart-colours.ts';
import { chartEnd, forecastBand, forecastText } from './forecast-band.ts';
import {
  DISK_HELP,
  freeText,
  calmText,
  iconOf,
  LEVEL_TONE,
  levelHelp,
  levelText,
  scaleEnd,
  seriesText,
  titleOf,
} from './resource-words.ts';
import 'uplot/dist/uPlot.min.css';

export interface ResourceChartProps {
  readonly series: ResourceSeries;
  readonly now: number;
  /** The scale goes up to the limit, also where nothing could be seen then. */
  readonly toLimit: boolean;
}

const HEIGHT = 150;

/** A resource over time, with its limit and when that is reached. All charts share one cursor. */
export function ResourceChart({ series, now, toLimit }: ResourceChartProps) {
  const { name, unit, value, limit, level, forecast } = series;
  const [read, setRead] = useState<number | null>(null);
  const sample = read === null ? undefined : series.samples[read];
  const forecasted = forecastText(forecast, now);
  const share = (sample?.value ?? value) / limit;
  return (
    <figure class={`rs-chart level-${level}`}>
      <figcaption>
        <div class="rs-title">
          <Icon name={iconOf(name)} />
          <h2>{titleOf(name)}</h2>
          {level === 'normal' ? null : (
            <Badge tone={LEVEL_TONE[level]} title={levelHelp(name) ?? ''}>
              {levelText(name, level)}
            </Badge>
          )}
        </div>
        <div class="rs-figures">
          {name === 'disk' ? (
            <strong title={DISK_HELP}>{freeText(sample?.value ?? value, limit)}</strong>
          ) : (
            <>
              <strong>{amountText(sample?.value ?? value, unit)}</strong>
              <span>
                of {amountText(limit, unit)} · {percentText(share)}
              </span>
            </>
          )}
          <span class="rs-read">{sample === undefined ? '' : clockText(sample.at).slice(0, 8)}</span>
        </div>
      </figcaption>
      <Plot series={series} now={now} toLimit={toLimit} onRead={setRead} />
      <p class={`rs-forecast ${forecasted === undefined ? 'none' : ''}`}>
        {forecasted === undefined ? (
          calmText(series, toLimit)
        ) : (
          <>
            <Icon name="clock" size={12} />
            {forecasted}
          </>
        )}
      </p>
    </figure>
  );
}

type PlotProps = ResourceChartProps & { readonly onRead: (place: number | null) => void };

function Plot(props: PlotProps) {
  const box = useRef<HTMLDivElement>(null);
  const latest = useRef(props);
  const plot = useRef<uPlot | null>(null);
  const shade = theme.value;
  const { series, now } = props;
  latest.current = props;

  useEffect(() => {
    const element = box.current;
    if (element === null) return;
    const made = new uPlot(
      optionsOf(latest, element.clientWidth, readColours(series.level)),
      dataOf(latest.current),
      element,
    );
    plot.current = made;
    const sizes = new ResizeObserver(() => made.setSize({ width: element.clientWidth, height: HEIGHT }));
    sizes.observe(element);
    return () => {
      sizes.disconnect();
      made.destroy();
      plot.current = null;
    };
  }, [series.name, series.unit, series.level, shade]);

  useEffect(() => plot.current?.setData(dataOf(props)), [series, now, props.toLimit]);

  return <div ref={box} class="rs-plot" role="img" aria-label={seriesText(series, now)} />;
}

/** uPlot counts time in seconds. */
function dataOf({ series }: PlotProps): uPlot.AlignedData {
  return [series.samples.map(({ at }) => at / 1_000), series.samples.map(({ value }) => value)];
}

function optionsOf(latest: { readonly current: PlotProps }, width: number, colours: ChartColours): uPlot.Options {
  const { unit } = latest.current.series;
  const end = () => scaleEnd(latest.current.series, latest.current.toLimit);
  const axis = {
    stroke: colours.text,
    font: colours.font,
    ticks: { show: false },
    grid: { stroke: colours.grid, width: 1 },
  };
  return {
    width,
    height: HEIGHT,
    legend: { show: false },
    padding: [8, 28, 0, 0],
    cursor: {
      sync: { key: 'resources' },
      drag: { x: false, y: false },
      y: false,
      points: { size: 7 },
    },
    scales: {
      x: {
        range: (): uPlot.Range.MinMax => {
          const { series, now } = latest.current;
          return [(series.samples[0]?.at ?? now - 60_000) / 1_000, chartEnd(series, now) / 1_000];
        },
      },
      y: { range: (): uPlot.Range.MinMax => [0, end()] },
    },
    axes: [
      {
        ...axis,
        grid: { show: false },
        size: 24,
        space: 70,
        values: (_, times, __, ___, step) => times.map((time) => clockText(time * 1_000).slice(0, step < 60 ? 8 : 5)),
      },
      {
        ...axis,
        size: 62,
        splits: () => ticksOf(end(), 4, unit),
        values: (_, amounts) => amounts.map((amount) => amountText(amount, unit)),
      },
    ],
    series: [{}, { stroke: colours.line, width: 1.5, fill: colours.fill, points: { show: false } }],
    hooks: {
      drawClear: [(plot) => drawForecast(plot, latest.current, colours)],
      draw: [(plot) => drawLimit(plot, latest.current, colours)],
      setCursor: [({ cursor }) => latest.current.onRead(cursor.idx ?? null)],
    },
  };
}

/** Behind the line: the band, and the way to the limit. */
function drawForecast(plot: uPlot, { series, now }: PlotProps, colours: ChartColours): void {
  const found = forecastBand(series, now, chartEnd(series, now));
  if (found === undefined) return;
  const { ctx } = plot;
  const x = (at: number) => plot.valToPos(at / 1_000, 'x', true);
  const y = (value: number) => plot.valToPos(value, 'y', true);
  ctx.save();
  ctx.beginPath();
  for (const { at, value } of found.band) ctx.lineTo(x(at), y(value));
  ctx.closePath();
  ctx.globalAlpha = 0.25;
  ctx.fillStyle = colours.forecast;
  ctx.fill();
  ctx.globalAlpha = 1;
  ctx.beginPath();
  for (const { at, value } of found.line) ctx.lineTo(x(at), y(value));
  ctx.strokeStyle = colours.forecast;
  ctx.lineWidth = 1.5 * devicePixelRatio;
  ctx.setLineDash([5 * devicePixelRatio, 4 * devicePixelRatio]);
  ctx.stroke();
  ctx.restore();
}

function drawLimit(plot: uPlot, { series }: PlotProps, colours: ChartColours): void {
  const { ctx, bbox } = plot;
  const y = plot.valToPos(series.limit, 'y', true);
  if (y < bbox.top) return;
  ctx.save();
  ctx.beginPath();
  ctx.moveTo(bbox.left, y);
  ctx.lineTo(bbox.left + bbox.width, y);
  ctx.strokeStyle = colours.limit;
  ctx.lineWidth = devicePixelRatio;
  ctx.setLineDash([2 * devicePixelRatio, 3 * devicePixelRatio]);
  ctx.stroke();
  ctx.fillStyle = colours.limit;
  ctx.font = `${10 * devicePixelRatio}px ${colours.font.slice(5)}`;
  ctx.textAlign = 'left';
  ctx.textBaseline = 'top';
  ctx.fillText('limit', bbox.left + 4 * devicePixelRatio, y + 2 * devicePixelRatio);
  ctx.restore();
}
