import type { ComponentChildren } from 'preact';
import { Icon, type IconName } from './icon.tsx';

export interface EmptyProps {
  readonly icon?: IconName;
  readonly title: string;
  /** What will appear here, and how to make it appear. */
  readonly children?: ComponentChildren;
  readonly small?: boolean;
}

/** Nothing is here yet. */
export function Empty({ icon = 'dot', title, children, small = false }: EmptyProps) {
  return (
    <div class={`empty ${small ? 'small' : ''}`}>
      <Icon name={icon} size={small ? 20 : 28} />
      <p class="empty-title">{title}</p>
      {children === undefined ? null : <div class="empty-text">{children}</div>}
    </div>
  );
}

/** Something could not be had. */
export function Failure({
  code,
  message,
  onRetry,
}: {
  readonly code: string;
  readonly message: string;
  readonly onRetry?: () => void;
}) {
  return (
    <div class="failure" role="alert">
      <Icon name="notice" />
      <div>
        <p>{message}</p>
        <code>{code}</code>
      </div>
      {onRetry === undefined ? null : (
        <button type="button" class="button plain small" onClick={onRetry}>
          <span>Try again</span>
        </button>
      )}
    </div>
  );
}
