/** Prometheus' text format, version 0.0.4. */

export type Labels = Readonly<Record<string, string>>;

export interface Sample {
  readonly value: number;
  readonly labels?: Labels;
  /** Of a summary: `_sum`, `_count`. */
  readonly suffix?: '_sum' | '_count';
}

/** A metric with its samples; none when nothing is known, and then it is left out. */
export interface Metric {
  /** With its unit last: seconds, bytes, `_total` for what only grows. */
  readonly name: string;
  readonly type: 'counter' | 'gauge' | 'summary';
  readonly help: string;
  readonly samples: readonly Sample[];
}

/** The text of these metrics. */
export function prometheusText(metrics: readonly Metric[]): string {
  return metrics
    .filter(({ samples }) => samples.length > 0)
    .map(textOf)
    .join('');
}

function textOf({ name, type, help, samples }: Metric): string {
  const lines = samples.map(
    ({ value, labels = {}, suffix = '' }) => `${name}${suffix}${labelText(labels)} ${numberText(value)}`,
  );
  return `# HELP ${name} ${escaped(help)}\n# TYPE ${name} ${type}\n${lines.join('\n')}\n`;
}

function labelText(labels: Labels): string {
  const all = Object.entries(labels);
  if (all.length === 0) return '';
  return `{${all.map(([name, value]) => `${name}="${escaped(value).replaceAll('"', '\\"')}"`).join(',')}}`;
}

/** Names of actions are somebody's text: no line may begin in one. */
function escaped(text: string): string {
  return text.replaceAll('\\', '\\\\').replaceAll('\n', '\\n').replaceAll('\r', '');
}

function numberText(value: number): string {
  if (Number.isNaN(value)) return 'NaN';
  if (Math.abs(value) === Infinity) return value > 0 ? '+Inf' : '-Inf';
  return String(value);
}
