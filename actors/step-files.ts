/**
 * Where the files of an action lie: a folder beside the store, `<store>.files/<plan>/<step>`, with one folder an attempt.
 * Ids become names of folders, so what a file system or a path would read as something else is spelled out.
 */
import { Buffer } from 'node:buffer';
import { createHash } from 'node:crypto';
import { join } from 'node:path';

/** File systems allow 255 bytes; some need a few for themselves. */
const LONGEST_NAME_BYTES = 200;
const HASH_DIGITS = 16;

/** The folder beside a store that holds the files of its actions. */
export function filesBeside(store: string): string {
  return `${store}.files`;
}

/** The id of an action as a path of folders: nothing in it leaves the folder it is put into. */
export function actionPath(id: string): string {
  return id.split('/').map(folderName).join('/');
}

/** Letters and digits of any script stay, unless a file system may spell them otherwise than they were given. */
function folderName(part: string): string {
  if (/^\.*$/.test(part)) return `%${part.replaceAll('.', '%2E')}`;
  const strange = part === part.normalize('NFC') ? /[^\p{L}\p{N}._~!*'():-]/gu : /[^A-Za-z0-9._~!*'():-]/gu;
  return bounded(part.replace(strange, spelledOut), part);
}

/** The bytes of a character as `%XX`. */
function spelledOut(character: string): string {
  return Buffer.from(character).toString('hex').toUpperCase().replaceAll(/../g, '%$&');
}

/** Names that are too long are told apart by a hash. No other name holds `%-`. */
function bounded(name: string, part: string): string {
  if (Buffer.byteLength(name) <= LONGEST_NAME_BYTES) return name;
  const hash = createHash('sha256').update(part).digest('hex').slice(0, HASH_DIGITS);
  const room = LONGEST_NAME_BYTES - HASH_DIGITS - 2;
  const head = new TextDecoder().decode(Buffer.from(name).subarray(0, room), { stream: true });
  return `${head}%-${hash}`;
}

/** The id of an action as one word of ASCII: what lists environments may show other characters in its own way. */
export function actionWord(id: string): string {
  return id.replaceAll(/[^A-Za-z0-9._~!*'():/-]/gu, spelledOut);
}

/** The folder of an action. */
export function actionFolder(files: string, id: string): string {
  return join(files, actionPath(id));
}

/** What an attempt of an action printed; give it to `readOutput`. */
export function outputFileOf(files: string, id: string, attempt: number): string {
  return join(actionFolder(files, id), `attempt-${attempt}`, 'output.log');
}

/** What stands in for an action, or undoes it: its files must not be taken for those of the action itself. */
export type StandIn = 'undo' | 'fallback' | `fallback-${string}`;

/** The fallback of this name; `fallback` is one without a name of its own. */
export function fallbackNamed(name: string): StandIn {
  return name === 'fallback' ? name : `fallback-${name}`;
}

/** The folder of what stands in for an action, or undoes it. */
export function standInFolder(files: string, id: string, standIn: StandIn): string {
  return join(actionFolder(files, id), folderName(standIn));
}

/** What it printed. The attempt is the last one of the action itself. */
export function standInOutputFileOf(files: string, id: string, standIn: StandIn, attempt: number): string {
  return join(standInFolder(files, id, standIn), `attempt-${attempt}`, 'output.log');
}
