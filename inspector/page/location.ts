/**
 * The place in the page, kept in the address bar, so that it can be sent to somebody, and Back works.
 *
 * What views agree on: `actors?actor=`, `work?action=`, `plan?plan=`, `events?actor=&type=&seq=`, `timeline?action=`,
 * `checkpoints?turn=`.
 */
import { computed, signal, type ReadonlySignal } from '@preact/signals';
import { formatRoute, parseRoute, type Route } from './route.ts';

export type { Route } from './route.ts';

export type Params = Readonly<Record<string, string | number | boolean | null | undefined>>;

const current = signal<Route>(parseRoute(globalThis.location?.hash ?? ''));

/** Where we are. */
export const route: ReadonlySignal<Route> = current;

globalThis.addEventListener?.('hashchange', () => {
  current.value = parseRoute(location.hash);
});

/** Goes to a view. `replace`: without a new entry in the history, for what changes often, such as a search. */
export function go(view: string, params: Params = {}, options: { readonly replace?: boolean } = {}): void {
  move({ view, params: texts(params) }, options.replace ?? false);
}

/** The address of a place, for an `<a href>`. */
export function href(view: string, params: Params = {}): string {
  return formatRoute({ view, params: texts(params) });
}

/** Changes some parameters of the view that is open; null and the empty text take one away. */
export function setParams(params: Params, options: { readonly replace?: boolean } = {}): void {
  const { view, params: before } = current.peek();
  const changed: Record<string, string> = { ...before };
  for (const [name, value] of Object.entries(params)) {
    if (value === null || value === undefined || value === '' || value === false) delete changed[name];
    else changed[name] = String(value);
  }
  move({ view, params: changed }, options.replace ?? true);
}

/** A parameter of the view that is open, to be read, and written by assignment. The empty text when it is not there. */
export interface Param {
  value: string;
  peek(): string;
}

const known = new Map<string, Param>();

export function param(name: string): Param {
  let found = known.get(name);
  if (found === undefined) {
    const text = computed(() => current.value.params[name] ?? '');
    found = {
      get value() {
        return text.value;
      },
      set value(next: string) {
        setParams({ [name]: next });
      },
      peek: () => text.peek(),
    };
    known.set(name, found);
  }
  return found;
}

function texts(params: Params): Record<string, string> {
  const found: Record<string, string> = {};
  for (const [name, value] of Object.entries(params)) {
    if (value !== null && value !== undefined && value !== false) found[name] = String(value);
  }
  return found;
}

function move(to: Route, replace: boolean): void {
  const text = formatRoute(to);
  if (text === formatRoute(current.peek())) return;
  current.value = to;
  if (replace) history.replaceState(null, '', text);
  else history.pushState(null, '', text);
}
