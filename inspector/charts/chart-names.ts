/** What actions and guards are called: by name where they have one, else by what they do, else `inline`. */

/** Names that a function gets from the property in which it was written. */
const PLACES = new Set(['', 'actions', 'entry', 'exit', 'guard', 'exec', 'anonymous', 'default']);
/** Guards inside guards that are named. */
const DEEPEST = 8;

/** The name of an action, as given in a config: a name, a name with parameters, one of XState's own, or a function. */
export function nameOfAction(action: unknown): string {
  const { type } = Object(action) as { type?: unknown };
  if (typeof type === 'string' && type.startsWith('xstate.') && typeof action === 'function') {
    return nameOfBuiltIn(type.slice('xstate.'.length), action as unknown as Readonly<Record<string, unknown>>);
  }
  return nameOf(action);
}

function nameOfBuiltIn(kind: string, action: Readonly<Record<string, unknown>>): string {
  const with_ = (subject: unknown) => (typeof subject === 'string' ? `${kind} ${subject}` : kind);
  if (kind === 'raise' || kind === 'sendTo' || kind === 'emit') {
    const { event = action['eventOrExpr'] } = action;
    return with_((Object(event) as { type?: unknown }).type);
  }
  if (kind === 'spawnChild') return with_(action['src']);
  if (kind === 'stopChild') return with_(action['actorRef']);
  if (kind === 'cancel') return with_(action['sendId']);
  return kind;
}

/** The name of a guard; of `and`, `or`, `not` and `stateIn` what they ask. */
export function nameOfGuard(guard: unknown, depth = 0): string {
  const { guards, stateValue, check } = Object(guard) as Readonly<Record<string, unknown>>;
  if (typeof guard !== 'function' || check === undefined) return nameOf(guard);
  if (depth >= DEEPEST) return '…';
  if (stateValue !== undefined) return `in ${nameOfValue(stateValue)}`;
  if (!Array.isArray(guards)) return nameOf(guard);
  const names = guards.map((one) => nameOfGuard(one, depth + 1));
  if (guards.length === 1 && /^not\b/.test(guard.name)) return `not ${names[0]}`;
  const inside = names.join(guard.name.startsWith('or') ? ' or ' : ' and ');
  return depth === 0 || names.length < 2 ? inside : `(${inside})`;
}

/** `a.b` for `{ a: 'b' }`, and `a.b & a.c` for two regions. */
function nameOfValue(value: unknown): string {
  if (typeof value !== 'object' || value === null) return String(value);
  return Object.entries(value)
    .map(([key, inside]) => (Object.keys(Object(inside)).length === 0 ? key : `${key}.${nameOfValue(inside)}`))
    .join(' & ');
}

function nameOf(named: unknown): string {
  if (typeof named === 'string') return named;
  if (typeof named === 'function') return PLACES.has(named.name) ? 'inline' : named.name;
  const { type } = Object(named) as { type?: unknown };
  return typeof type === 'string' ? type : 'inline';
}
