import type { Tone } from '../tone.ts';

export interface MeterProps {
  readonly value: number;
  readonly max: number;
  /** Default: accent. */
  readonly tone?: Tone;
  /** What is measured. */
  readonly label: string;
  /** The value in words, for who cannot see the bar. */
  readonly text?: string;
}

/** How full something is. */
export function Meter({ value, max, tone = 'accent', label, text }: MeterProps) {
  const share = max > 0 ? Math.min(1, Math.max(0, value / max)) : 0;
  return (
    <div
      class={`meter tone-${tone}`}
      role="meter"
      aria-label={label}
      aria-valuemin={0}
      aria-valuemax={max}
      aria-valuenow={Math.min(value, max)}
      aria-valuetext={text}
      title={text}
    >
      <div class="meter-fill" style={{ transform: `scaleX(${share})` }} />
    </div>
  );
}
