/** `perdure export`: what a store holds, as lines that another inspector can open without it; also while it is in use. */
import { once } from 'node:events';
import { createWriteStream, rmSync } from 'node:fs';
import { finished } from 'node:stream/promises';
import { PerdureError, messageOf } from '../errors.ts';
import { exportLines, type ExportQuery } from '../inspector/sources/export.ts';
import { storeSource } from '../inspector/sources/store-source.ts';
import { EXIT } from './failure.ts';
import { loadMachines } from './machine-module.ts';
import { storeOf } from './named-store.ts';

export interface ExportOptions {
  /** Default: the standard output. */
  readonly output?: string;
  readonly tree?: string;
  readonly from?: number;
  /** A module that exports the machines of the store's trees, so that their charts are among it. */
  readonly machines?: string;
}

/** Writes a line after the other, as fast as they are read. Throws OPTIONS_INVALID for a file that cannot be written. */
export async function exportStore(named: string | undefined, options: ExportOptions): Promise<number> {
  const { output, tree, from, machines } = options;
  const query: ExportQuery = { ...(tree === undefined ? {} : { tree }), ...(from === undefined ? {} : { from }) };
  const source = storeSource(
    storeOf(named),
    machines === undefined ? {} : { machines: (await loadMachines(machines)).charted },
  );
  try {
    const lines = exportLines(source, query);
    if (output === undefined) await print(lines);
    else await save(output, lines);
    const { moreActors: more = 0 } = source;
    if (more > 0)
      process.stderr.write(`perdure: ${more} actors are left out, beside ${source.registry().length} that are told.\n`);
    return EXIT.ok;
  } finally {
    await source.close();
  }
}

async function print(lines: AsyncIterable<unknown>): Promise<void> {
  for await (const line of lines)
    await new Promise<void>((done) => process.stdout.write(`${JSON.stringify(line)}\n`, () => done()));
}

/** A file that is there is not written over; one that is not whole is not left. */
async function save(output: string, lines: AsyncIterable<unknown>): Promise<void> {
  const file = createWriteStream(output, { flags: 'wx', mode: 0o600 });
  try {
    await once(file, 'open');
  } catch (cause) {
    throw new PerdureError('OPTIONS_INVALID', `${output} cannot be written: ${messageOf(cause)}`, {
      cause,
      facts: { output },
    });
  }
  try {
    for await (const line of lines) if (!file.write(`${JSON.stringify(line)}\n`)) await once(file, 'drain');
    file.end();
    await finished(file);
  } catch (error) {
    file.destroy();
    rmSync(output, { force: true });
    throw error;
  }
}
