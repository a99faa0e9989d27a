import { ICONS, type IconName } from '../icons.ts';

export type { IconName } from '../icons.ts';

export interface IconProps {
  readonly name: IconName;
  /** Pixels. Default: 16. */
  readonly size?: number;
  /** What it says to who cannot see it. Without one it is decoration. */
  readonly label?: string;
  readonly class?: string;
}

/** A sign. */
export function Icon({ name, size = 16, label, class: className = '' }: IconProps) {
  const said = label === undefined ? { 'aria-hidden': true } : { role: 'img' as const, 'aria-label': label };
  return (
    <svg class={`icon ${className}`} width={size} height={size} viewBox="0 0 16 16" {...said}>
      <path d={ICONS[name]} />
    </svg>
  );
}
