/**
 * Where the files of an action lie: a folder beside the store, `<store>.files/<plan>/<step>`, with one folder an attempt. A
 * tree that went back to a checkpoint, or is in a copy, has those of its generation in `@<generation>` of that folder.
 * Ids become names of folders, so what a file system or a path would read as something else is spelled out.
 */
import { Buffer } from 'node:buffer';
import { createHash } from 'node:crypto';
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';

/** File systems allow 255 bytes; some need a few for themselves. */
const LONGEST_NAME_BYTES = 200;
const HASH_DIGITS = 16;
/** Of a tree that has not gone back, in a store that is no copy. */
export const FIRST_GENERATION = 1;

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

/** Of the files in this folder those of one generation. The first one has no name; no other name begins with `@`. */
export function generationFolder(folder: string, generation: number): string {
  return generation === FIRST_GENERATION ? folder : join(folder, `@${generation}`);
}

/** What an attempt printed whose files are in this folder; give it to `readOutput`. */
export function outputFileOf(folder: string, attempt: number): string {
  return join(folder, `attempt-${attempt}`, 'output.log');
}

/** The folder of the last generation, begun by then, in which this attempt was made, of those in this folder. */
export function lastGeneration(folder: string, attempt: number, by: number): string {
  const generations = generationsIn(folder).filter((generation) => generation <= by);
  const folders = generations.map((generation) => generationFolder(folder, generation));
  return folders.find((each) => existsSync(join(each, `attempt-${attempt}`))) ?? folder;
}

/** The newest first. */
function generationsIn(folder: string): number[] {
  const names = existsSync(folder) ? readdirSync(folder) : [];
  return names.flatMap((name) => (/^@\d+$/.test(name) ? [Number(name.slice(1))] : [])).sort((a, b) => b - a);
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
