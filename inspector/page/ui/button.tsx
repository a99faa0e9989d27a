import type { ComponentChildren } from 'preact';
import { whyNoCommands } from '../connection.ts';
import { Icon, type IconName } from './icon.tsx';
import { Spinner } from './spinner.tsx';

export interface ButtonProps {
  readonly children?: ComponentChildren;
  readonly onClick?: (event: MouseEvent) => void;
  /** Default: plain. */
  readonly kind?: 'primary' | 'plain' | 'quiet' | 'danger';
  readonly icon?: IconName;
  readonly small?: boolean;
  readonly disabled?: boolean;
  /** It gives a command: it is disabled while none can be given, and says why. */
  readonly gives?: boolean;
  /** It works, and cannot be pressed again. */
  readonly busy?: boolean;
  /** Of one that stays down. */
  readonly pressed?: boolean;
  readonly title?: string;
  /** What it is called, when its text does not say it. */
  readonly label?: string;
  readonly type?: 'button' | 'submit';
  readonly autofocus?: boolean;
  /** Of one that opens a menu: whether it is open. */
  readonly opens?: boolean;
  /** It closes what stands beside a list: Escape presses it. */
  readonly closes?: boolean;
}

export function Button(props: ButtonProps) {
  const { children, kind = 'plain', icon, small = false, busy = false, disabled = false } = props;
  const why = props.gives === true ? whyNoCommands.value : null;
  return (
    <button
      type={props.type ?? 'button'}
      class={`button ${kind} ${small ? 'small' : ''} ${children === undefined ? 'only-icon' : ''}`}
      disabled={disabled || busy || why !== null}
      aria-pressed={props.pressed}
      aria-label={props.label}
      aria-busy={busy ? true : undefined}
      aria-haspopup={props.opens === undefined ? undefined : 'menu'}
      aria-expanded={props.opens}
      data-closes={props.closes}
      title={why ?? props.title ?? (children === undefined ? props.label : undefined)}
      onClick={props.onClick}
      autofocus={props.autofocus}
    >
      {busy ? <Spinner /> : icon === undefined ? null : <Icon name={icon} size={small ? 14 : 16} />}
      {children === undefined ? null : <span>{children}</span>}
    </button>
  );
}

/** A button that is only a sign; `label` is what it is called. */
export function IconButton(props: Omit<ButtonProps, 'children'> & { readonly icon: IconName; readonly label: string }) {
  return <Button kind="quiet" {...props} />;
}
