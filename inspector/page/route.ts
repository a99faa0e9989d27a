/**
 * Where somebody is in the page, as text in the URL: `#/view?name=value`. Pure: see location.ts for the address bar.
 *
 * L1  parseRoute(formatRoute(r)) equals r, whatever is in it. L2  Any text parses; what cannot be read is left out.
 */
export interface Route {
  /** The id of a view. */
  readonly view: string;
  readonly params: Readonly<Record<string, string>>;
}

export const HOME = 'overview';

export function parseRoute(hash: string): Route {
  const text = hash.startsWith('#') ? hash.slice(1) : hash;
  const mark = text.indexOf('?');
  const path = mark === -1 ? text : text.slice(0, mark);
  const params: Record<string, string> = Object.create(null) as Record<string, string>;
  if (mark !== -1) {
    for (const [name, value] of new URLSearchParams(text.slice(mark + 1))) params[name] = value;
  }
  const view = decoded(path.replace(/^\/+/, ''));
  return { view: view === '' ? HOME : view, params };
}

/** The text, with its parameters sorted, so that the same place has the same text. Empty values are left out. */
export function formatRoute(route: Route): string {
  const query = new URLSearchParams();
  for (const name of Object.keys(route.params).toSorted()) {
    const value = route.params[name];
    if (value !== undefined && value !== '') query.set(name, value);
  }
  const text = query.toString();
  return `#/${encodeURIComponent(route.view)}${text === '' ? '' : `?${text}`}`;
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
