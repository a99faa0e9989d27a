/** Keys that work everywhere: `g` and a letter goes to a view, `/` to the search, `j` and `k` into the list. */
import { signal } from '@preact/signals';
import { capabilities, feed } from '../connection.ts';
import { go } from '../location.ts';
import { nextTheme } from '../theme.ts';
import { focusList } from '../ui/focus.ts';
import { VIEWS } from '../views/index.ts';

export const isPaletteOpen = signal(false);
export const isHelpOpen = signal(false);
/** Whether the sidebar is shown where the page is narrow. */
export const isDrawerOpen = signal(false);
/** `g` was pressed, and a letter is awaited. */
export const isGoing = signal(false);

const LETTER_WITHIN_MS = 1_500;
let timer: ReturnType<typeof setTimeout> | undefined;

export function listenToKeys(): () => void {
  addEventListener('keydown', onKey);
  return () => removeEventListener('keydown', onKey);
}

function onKey(event: KeyboardEvent): void {
  if ((event.ctrlKey || event.metaKey) && event.key.toLowerCase() === 'k') {
    event.preventDefault();
    isPaletteOpen.value = !isPaletteOpen.peek();
    return;
  }
  if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey) return;
  if (isTyping(event.target) || document.querySelector('dialog[open]') !== null) return;
  if (isGoing.peek()) goTo(event);
  else act(event);
}

function goTo(event: KeyboardEvent): void {
  endGoing();
  const kind = feed.peek()?.kind ?? 'server';
  const view = VIEWS.find(({ key, supports }) => key === event.key && supports(capabilities.peek(), kind));
  if (view === undefined) return;
  event.preventDefault();
  go(view.id);
}

function act(event: KeyboardEvent): void {
  switch (event.key) {
    case 'g':
      isGoing.value = true;
      timer = setTimeout(endGoing, LETTER_WITHIN_MS);
      break;
    case '/':
      event.preventDefault();
      focusSearch();
      break;
    case 'Escape':
      if (isDrawerOpen.peek()) isDrawerOpen.value = false;
      else closeDetail();
      break;
    case '?':
      isHelpOpen.value = true;
      break;
    case 'T':
      nextTheme();
      break;
    case 'j':
    case 'k':
      keyToList(event);
      break;
    default:
  }
}

function endGoing(): void {
  clearTimeout(timer);
  isGoing.value = false;
}

/** The search of the view; where it has none, the palette. */
function focusSearch(): void {
  const field = document.querySelector<HTMLInputElement>('main [data-search]');
  if (field === null) isPaletteOpen.value = true;
  else field.select();
}

/** What stands beside a list is closed as by its button, and the keyboard is the list's again. */
function closeDetail(): void {
  const button = [...document.querySelectorAll<HTMLElement>('main [data-closes]')].at(-1);
  if (button === undefined) return;
  focusList();
  button.click();
}

/** The first list of the view takes the key, and those after it. */
function keyToList(event: KeyboardEvent): void {
  const list = document.querySelector<HTMLElement>('main [data-list]');
  if (list === null || list.contains(document.activeElement)) return;
  event.preventDefault();
  list.focus();
  list.dispatchEvent(new KeyboardEvent('keydown', { key: event.key }));
}

function isTyping(target: EventTarget | null): boolean {
  const typed = 'input:not([type=checkbox], [type=radio]), textarea, select, [contenteditable]';
  return target instanceof HTMLElement && target.closest(typed) !== null;
}
