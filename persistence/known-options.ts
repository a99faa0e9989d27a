/** Whether all that a host wrote as options is read: a slip would else be taken for the default. */
import { PerdureError } from '../errors.ts';

/** What somebody may have meant who named the thing by what it does. */
const MEANT: Readonly<Record<string, string>> = {
  encryption: 'sealing',
  encrypt: 'sealing',
  key: 'sealing',
  path: 'store',
  file: 'store',
  migrations: 'migrate',
  sync: 'durability',
};

/** Throws OPTIONS_INVALID for a key that nobody reads. What is no object has none. */
export function refuseUnknownOption(what: string, options: unknown, known: readonly string[]): void {
  const given = typeof options === 'object' && options !== null ? Object.keys(options) : [];
  const option = given.find((key) => !known.includes(key));
  if (option === undefined) return;
  const meant = meantBy(option, known);
  const hint = meant === undefined ? `expected one of ${known.join(', ')}` : `did you mean \`${meant}\`?`;
  throw new PerdureError('OPTIONS_INVALID', `${what}: there is no option \`${option}\` (${hint}).`, {
    facts: { option, known },
  });
}

/** The option that somebody may have meant; undefined where none is near. */
export function meantBy(option: string, known: readonly string[]): string | undefined {
  const named = Object.hasOwn(MEANT, option) ? MEANT[option] : undefined;
  if (named !== undefined && known.includes(named)) return named;
  const start = option.toLowerCase().slice(0, 4);
  return known.find((one) => one.toLowerCase().startsWith(start));
}
