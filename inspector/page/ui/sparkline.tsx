export interface Bar {
  readonly at: number;
  readonly value: number;
  /** The part of the value that went wrong. */
  readonly bad?: number;
}

export interface SparklineProps {
  readonly bars: readonly Bar[];
  readonly label: string;
  /** Pixels. Default: 48. */
  readonly height?: number;
  /** What a bar says on hover. */
  readonly title?: (bar: Bar) => string;
}

/** Bars over time. */
export function Sparkline({ bars, label, height = 48, title }: SparklineProps) {
  const most = Math.max(1, ...bars.map(({ value }) => value));
  const width = bars.length * 4;
  const tall = (value: number): number => (value === 0 ? 0 : Math.max(1, (value / most) * height));
  return (
    <svg class="sparkline" role="img" aria-label={label} viewBox={`0 0 ${width} ${height}`} preserveAspectRatio="none">
      {bars.map((bar, i) => (
        <g key={bar.at}>
          {title === undefined ? null : <title>{title(bar)}</title>}
          <rect class="spark-hit" x={i * 4} y={0} width={4} height={height} />
          <rect class="spark-good" x={i * 4} y={height - tall(bar.value)} width={3} height={tall(bar.value)} />
          <rect class="spark-bad" x={i * 4} y={height - tall(bar.bad ?? 0)} width={3} height={tall(bar.bad ?? 0)} />
        </g>
      ))}
    </svg>
  );
}
