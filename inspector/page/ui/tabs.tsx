import { Count } from './badge.tsx';
import { Icon, type IconName } from './icon.tsx';

export interface Tab {
  readonly id: string;
  readonly title: string;
  readonly count?: number;
  readonly icon?: IconName;
}

export interface TabsProps {
  readonly tabs: readonly Tab[];
  readonly selected: string;
  readonly onSelect: (id: string) => void;
  /** What is chosen among. */
  readonly label: string;
}

/** A row of tabs; the arrows go from one to the next. */
export function Tabs({ tabs, selected, onSelect, label }: TabsProps) {
  const onKeyDown = (event: KeyboardEvent): void => {
    const step = event.key === 'ArrowRight' ? 1 : event.key === 'ArrowLeft' ? -1 : 0;
    if (step === 0) return;
    event.preventDefault();
    const at = tabs.findIndex(({ id }) => id === selected);
    const next = tabs[(at + step + tabs.length) % tabs.length];
    if (next === undefined) return;
    onSelect(next.id);
    const buttons = (event.currentTarget as HTMLElement).querySelectorAll<HTMLElement>('[role=tab]');
    buttons[tabs.indexOf(next)]?.focus();
  };
  return (
    <div class="tabs" role="tablist" aria-label={label} onKeyDown={onKeyDown}>
      {tabs.map((tab) => (
        <button
          key={tab.id}
          type="button"
          role="tab"
          class="tab"
          aria-selected={tab.id === selected}
          tabIndex={tab.id === selected ? 0 : -1}
          onClick={() => onSelect(tab.id)}
        >
          {tab.icon === undefined ? null : <Icon name={tab.icon} size={14} />}
          {tab.title}
          {tab.count === undefined ? null : <Count value={tab.count} />}
        </button>
      ))}
    </div>
  );
}
