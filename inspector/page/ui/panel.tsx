import type { ComponentChildren } from 'preact';
import { useId } from 'preact/hooks';
import { Count } from './badge.tsx';
import { Icon, type IconName } from './icon.tsx';

export interface PanelProps {
  readonly title: string;
  readonly icon?: IconName;
  readonly count?: number;
  /** Buttons and links at the right of the title. */
  readonly actions?: ComponentChildren;
  readonly children: ComponentChildren;
  /** No padding: for lists and tables. */
  readonly flush?: boolean;
  /** It takes the height there is, and scrolls inside. */
  readonly fill?: boolean;
  readonly class?: string;
}

/** A titled region. */
export function Panel({ title, icon, count, actions, children, flush, fill, class: className = '' }: PanelProps) {
  const id = useId();
  return (
    <section class={`panel ${flush ? 'flush' : ''} ${fill ? 'fill' : ''} ${className}`} aria-labelledby={id}>
      <header class="panel-head">
        {icon === undefined ? null : <Icon name={icon} />}
        <h2 id={id}>{title}</h2>
        {count === undefined ? null : <Count value={count} />}
        {actions === undefined ? null : <div class="panel-actions">{actions}</div>}
      </header>
      <div class="panel-body">{children}</div>
    </section>
  );
}
