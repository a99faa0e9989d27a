/** The colours of the theme, for what is drawn on a canvas. */
import { token } from '../../theme.ts';

export interface ChartColours {
  readonly line: string;
  readonly fill: string;
  readonly limit: string;
  readonly forecast: string;
  readonly grid: string;
  readonly text: string;
  readonly font: string;
}

/** `level` decides the colour of the line. */
export function readColours(level: 'normal' | 'elevated' | 'critical'): ChartColours {
  const line = token({ normal: '--running', elevated: '--retrying', critical: '--failed' }[level]);
  return {
    line,
    fill: token({ normal: '--running-soft', elevated: '--retrying-soft', critical: '--failed-soft' }[level]),
    limit: token('--failed'),
    forecast: token('--degraded'),
    grid: token('--border'),
    text: token('--text-2'),
    font: `11px ${token('--font')}`,
  };
}
