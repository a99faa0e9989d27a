/**
 * Where the files of an action lie: a folder beside the store, `<store>.files/<plan>/<step>`, with one folder an attempt.
 * Ids become names of folders, so what a file system or a path would read as something else is spelled out.
 */
import { join } from 'node:path';

/** The folder beside a store that holds the files of its actions. */
export function filesBeside(store: string): string {
  return `${store}.files`;
}

/** The id of an action as a path of folders: nothing in it leaves the folder it is put into. */
export function actionPath(id: string): string {
  return id.split('/').map(folderName).join('/');
}

function folderName(part: string): string {
  const encoded = encodeURIComponent(part).replaceAll('%3A', ':');
  return /^\.*$/.test(encoded) ? `%${encoded.replaceAll('.', '%2E')}` : encoded;
}

/** The folder of an action. */
export function actionFolder(files: string, id: string): string {
  return join(files, actionPath(id));
}

/** What an attempt of an action printed; give it to `readOutput`. */
export function outputFileOf(files: string, id: string, attempt: number): string {
  return join(actionFolder(files, id), `attempt-${attempt}`, 'output.log');
}

/** What the fallback of an action printed. The attempt is the last one of the action itself. */
export function fallbackOutputFileOf(files: string, id: string, attempt: number): string {
  return join(actionFolder(files, id), 'fallback', `attempt-${attempt}`, 'output.log');
}
