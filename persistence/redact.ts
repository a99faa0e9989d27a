/** Hides what is a secret by its name. What a restore needs is never redacted: this is for what is only shown. */

const SECRET = /^(?:.*[_-])?(?:password|passphrase|secret|token|api[_-]?key|authorization|cookie|credentials?)$/i;
const CAMEL = /(?<=[a-z0-9])(?=[A-Z])/g;
const HIDDEN = '[redacted]';

/** The same value, with the values of keys that name secrets (`password`, `apiKey`, `access_token`) hidden. */
export function hideSecrets(value: unknown): unknown {
  if (Array.isArray(value)) return withItems(value);
  if (typeof value !== 'object' || value === null || Object.getPrototypeOf(value) !== Object.prototype) return value;
  let copy: Record<string, unknown> | undefined;
  for (const [key, item] of Object.entries(value)) {
    const shown = isSecret(key) ? HIDDEN : hideSecrets(item);
    if (shown === item) continue;
    copy ??= { ...value };
    copy[key] = shown;
  }
  return copy ?? value;
}

function withItems(items: unknown[]): unknown[] {
  const shown = items.map(hideSecrets);
  return shown.some((item, index) => item !== items[index]) ? shown : items;
}

function isSecret(key: string): boolean {
  return key !== 'type' && SECRET.test(key.replace(CAMEL, '_'));
}
