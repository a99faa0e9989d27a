import type { ComponentChildren } from 'preact';
import { iconOfTone, toneOf, type Tone } from '../tone.ts';
import { Icon, type IconName } from './icon.tsx';

export type { Tone } from '../tone.ts';

export interface BadgeProps {
  readonly tone?: Tone;
  /** Default: the one of the tone. Null for none. */
  readonly icon?: IconName | null;
  readonly title?: string;
  readonly children: ComponentChildren;
}

/** A word with a colour and a sign. */
export function Badge({ tone = 'neutral', icon, title, children }: BadgeProps) {
  const sign = icon === undefined ? (tone === 'neutral' ? null : iconOfTone(tone)) : icon;
  return (
    <span class={`badge tone-${tone}`} title={title}>
      {sign === null ? null : <Icon name={sign} size={12} />}
      <span class="badge-text">{children}</span>
    </span>
  );
}

/** A state, an outcome or a health, in its own colour. */
export function StateBadge({ state, title }: { readonly state: string; readonly title?: string }) {
  return (
    <Badge tone={toneOf(state)} {...(title === undefined ? {} : { title })}>
      {state}
    </Badge>
  );
}

/** A dot in a state's colour, where there is no room for a word; the word is said by its label. */
export function Dot({ tone, label }: { readonly tone: Tone; readonly label: string }) {
  return <span class={`dot tone-${tone}`} role="img" aria-label={label} title={label} />;
}

/** A number beside a word. */
export function Count({ value, tone = 'neutral' }: { readonly value: number; readonly tone?: Tone }) {
  return <span class={`count tone-${tone}`}>{value > 9_999 ? '9999+' : value}</span>;
}
