import { useEffect, useRef, useState } from 'preact/hooks';
import { whyNoCommands } from '../connection.ts';
import { Button } from './button.tsx';
import { Icon, type IconName } from './icon.tsx';

export interface MenuItem {
  readonly label: string;
  readonly icon?: IconName;
  readonly onSelect: () => void;
  readonly disabled?: boolean;
  /** It gives a command: it is disabled while none can be given, and says why. */
  readonly gives?: boolean;
  readonly danger?: boolean;
  /** Why it is disabled, or what it does. */
  readonly title?: string;
}

export interface MenuProps {
  /** What the menu is of. */
  readonly label: string;
  readonly items: readonly MenuItem[];
  /** Default: three dots. */
  readonly icon?: IconName;
  /** Words on the button. */
  readonly text?: string;
}

/** A button that opens a list of things to do. */
export function Menu({ label, items, icon = 'more', text }: MenuProps) {
  const [isOpen, setOpen] = useState(false);
  const box = useRef<HTMLDivElement>(null);

  useEffect(() => {
    if (!isOpen) return;
    box.current?.querySelector<HTMLElement>('[role=menuitem]:not(:disabled)')?.focus();
    const close = ({ target }: Event): void => {
      if (target instanceof Node && box.current?.contains(target)) return;
      setOpen(false);
    };
    document.addEventListener('pointerdown', close);
    return () => document.removeEventListener('pointerdown', close);
  }, [isOpen]);

  const onKeyDown = (event: KeyboardEvent): void => {
    if (!isOpen) return;
    const all = [...(box.current?.querySelectorAll<HTMLElement>('[role=menuitem]:not(:disabled)') ?? [])];
    const at = all.indexOf(document.activeElement as HTMLElement);
    if (event.key === 'Escape') {
      event.stopPropagation();
      setOpen(false);
      box.current?.querySelector('button')?.focus();
    } else if (event.key === 'ArrowDown' || event.key === 'ArrowUp') {
      event.preventDefault();
      all[(at + (event.key === 'ArrowDown' ? 1 : -1) + all.length) % all.length]?.focus();
    } else if (event.key === 'Tab') {
      setOpen(false);
    }
  };
  return (
    <div class="menu" ref={box} onKeyDown={onKeyDown}>
      <Button
        kind="quiet"
        small
        icon={icon}
        label={label}
        opens={isOpen}
        onClick={(event) => {
          event.stopPropagation();
          setOpen(!isOpen);
        }}
      >
        {text}
      </Button>
      {isOpen ? (
        <div class="menu-list" role="menu" aria-label={label}>
          {items.map((item) => (
            <button
              key={item.label}
              type="button"
              role="menuitem"
              class={`menu-item ${item.danger ? 'danger' : ''}`}
              disabled={item.disabled === true || whyNot(item) !== null}
              title={whyNot(item) ?? item.title}
              onClick={(event) => {
                event.stopPropagation();
                setOpen(false);
                item.onSelect();
              }}
            >
              {item.icon === undefined ? <span class="icon-gap" /> : <Icon name={item.icon} size={14} />}
              {item.label}
            </button>
          ))}
        </div>
      ) : null}
    </div>
  );
}

function whyNot({ gives = false }: MenuItem): string | null {
  return gives ? whyNoCommands.value : null;
}
