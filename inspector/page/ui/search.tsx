import { focusList } from './focus.ts';
import { Icon } from './icon.tsx';

export interface SearchProps {
  readonly value: string;
  readonly onInput: (text: string) => void;
  /** What is searched. */
  readonly label: string;
  readonly placeholder?: string;
}

/** A search field; `/` goes to the first one of the view, Escape empties it, and leaves an empty one for the list. */
export function Search({ value, onInput, label, placeholder = label }: SearchProps) {
  return (
    <label class="search">
      <Icon name="search" size={14} />
      <input
        type="search"
        value={value}
        placeholder={placeholder}
        aria-label={label}
        spellcheck={false}
        autocomplete="off"
        data-search
        onInput={(event) => onInput(event.currentTarget.value)}
        onKeyDown={(event) => {
          if (event.key !== 'Escape') return;
          event.stopPropagation();
          if (value !== '') onInput('');
          else focusList();
        }}
      />
      <kbd aria-hidden>/</kbd>
    </label>
  );
}
