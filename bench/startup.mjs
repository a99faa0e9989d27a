/** What whoever starts Perdure waits for. */
import { readFileSync } from 'node:fs';
import { inFreshProcess } from './fresh-process.mjs';
import { ENTRY } from './perdure.mjs';
import { compare, median } from './rounds.mjs';
import { scratchFile } from './scratch.mjs';

const PROCESSES = 15;

/** The package on top of its dependencies: they are imported first, in the same fresh process. */
export async function importing() {
  const dependencies = dependenciesOf(ENTRY);
  await inFreshProcess('import', [ENTRY, ...dependencies]);
  const times = [];
  for (let process = 0; process < PROCESSES; process++) {
    times.push(await inFreshProcess('import', [ENTRY, ...dependencies]));
  }
  return {
    value: median(times.map(({ own }) => own)),
    unit: 'ms',
    ratio: median(times.map(({ own, bare }) => (bare + own) / bare)),
    against: `importing ${dependencies.join(', ')} alone`,
  };
}

/**
 * The packages that a module imports, itself or through modules of its own.
 * @param {URL} entry
 */
function dependenciesOf(entry) {
  const seen = new Set([entry.href]);
  const packages = new Set();
  for (const href of seen) {
    for (const [, name = ''] of readFileSync(new URL(href), 'utf8').matchAll(/^(?:import|export) .*?"([^"]+)";$/gm)) {
      if (name.startsWith('.')) seen.add(new URL(name, href).href);
      else if (!name.startsWith('node:')) packages.add(name);
    }
  }
  return [...packages];
}

/** A new store and a supervisor running on it, beside a new SQLite file with one row in it. */
export async function opening() {
  const { ours, ratio } = await compare(
    PROCESSES,
    () => inFreshProcess('open-supervisor', [scratchFile('open.db')]),
    () => inFreshProcess('open-raw', [scratchFile('open-raw.db')]),
  );
  return { value: ours, unit: 'ms', ratio, against: 'opening a new SQLite file and committing a row' };
}
