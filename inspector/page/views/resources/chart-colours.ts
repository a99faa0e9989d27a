/** The colours of the theme, for what is drawn on a canvas. */
import { useEffect, useState } from 'preact/hooks';

export interface ChartColours {
  readonly line: string;
  readonly fill: string;
  readonly limit: string;
  readonly forecast: string;
  readonly band: string;
  readonly grid: string;
  readonly text: string;
  readonly font: string;
}

/** `level` decides the colour of the line. */
export function readColours(level: 'normal' | 'elevated' | 'critical'): ChartColours {
  const style = getComputedStyle(document.documentElement);
  const token = (name: string) => style.getPropertyValue(name).trim();
  const line = token({ normal: '--running', elevated: '--retrying', critical: '--failed' }[level]);
  return {
    line,
    fill: token({ normal: '--running-soft', elevated: '--retrying-soft', critical: '--failed-soft' }[level]),
    limit: token('--failed'),
    forecast: token('--degraded'),
    band: token('--degraded-soft'),
    grid: token('--border'),
    text: token('--text-2'),
    font: `11px ${token('--font')}`,
  };
}

/** Changes with the theme, whoever chooses it. */
export function useTheme(): number {
  const [version, setVersion] = useState(0);
  useEffect(() => {
    const change = (): void => setVersion((before) => before + 1);
    const system = matchMedia('(prefers-color-scheme: dark)');
    system.addEventListener('change', change);
    const chosen = new MutationObserver(change);
    chosen.observe(document.documentElement, { attributes: true, attributeFilter: ['data-theme'] });
    return () => {
      system.removeEventListener('change', change);
      chosen.disconnect();
    };
  }, []);
  return version;
}
