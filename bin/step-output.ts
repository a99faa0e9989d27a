/** What a step printed, as it is shown: its end, because that is where commands say what is wrong. */
import { readOutput } from '../actors/command.ts';

const SHOWN_LINES = 60;
const READ_BYTES = 64 * 1024;

/** The last lines of an output, the file's path above them. */
export function shownOutput(file: string, lines = SHOWN_LINES): string[] {
  const all = readOutput(file, READ_BYTES).trimEnd().split('\n');
  const shown = all.slice(-lines);
  const leftOut = all.length > shown.length ? ` (its last ${shown.length} lines)` : '';
  return shown.join('') === '' ? [`nothing in ${file}`] : [`${file}${leftOut}:`, ...shown.map((line) => `  ${line}`)];
}
