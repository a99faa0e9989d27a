/** Where the keyboard is: it comes back to where it was when what lay above the page is gone. */
import type { RefObject } from 'preact';
import { useLayoutEffect } from 'preact/hooks';

/** A list that is drawn soon takes the keyboard. */
let isListAwaited = false;

/** Shows a dialog for as long as it is drawn, and gives the keyboard back to who had it before. */
export function useModal(box: RefObject<HTMLDialogElement | null>): void {
  useLayoutEffect(() => {
    const before = document.activeElement;
    const element = box.current;
    element?.showModal();
    return () => {
      element?.close();
      // What is being taken out of the page takes the keyboard along: so it is given back after that.
      queueMicrotask(() => giveBack(before));
    };
  }, []);
}

function giveBack(before: Element | null): void {
  if (document.querySelector('dialog[open]') !== null || hasKeyboard(document.activeElement)) return;
  if (before instanceof HTMLElement || before instanceof SVGElement) before.focus({ preventScroll: true });
  // Who had it has gone, or it was nobody.
  if (!hasKeyboard(document.activeElement) && before !== null && before !== document.body) focusList();
}

function hasKeyboard(element: Element | null): boolean {
  return element !== null && element !== document.body && element.isConnected;
}

/** Gives the keyboard to the list of the view; where there is none, to the view. */
export function focusList(): void {
  const to = document.querySelector<HTMLElement>('main [data-list]') ?? document.querySelector<HTMLElement>('main');
  to?.focus({ preventScroll: true });
}

/** The next list that is drawn takes the keyboard: said before going to its view. */
export function awaitList(): void {
  isListAwaited = true;
}

/** Said by a list that is drawn. */
export function listIsThere(list: HTMLElement): void {
  if (!isListAwaited) return;
  isListAwaited = false;
  list.focus({ preventScroll: true });
}
