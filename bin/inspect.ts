/** `perdure inspect`: the inspector of a store that another process may own, or of an exported history. */
import { closeSync, openSync, readSync } from 'node:fs';
import { resolve } from 'node:path';
import { PerdureError } from '../errors.ts';
import { deskBeside } from '../inspector/commands/commands.ts';
import { fileSource } from '../inspector/sources/file-source.ts';
import { storeSource } from '../inspector/sources/store-source.ts';
import { EXIT } from './failure.ts';
import { loadMachines } from './machine-module.ts';
import { storeOf } from './named-store.ts';
import { openPage } from './open-page.ts';
import { StopRequest } from './stop-request.ts';

export interface InspectCommandOptions {
  readonly port?: number;
  readonly host?: string;
  readonly hosts?: readonly string[];
  readonly token?: string;
  readonly commands?: boolean;
  readonly machines?: string;
  readonly tree?: string;
  readonly open?: boolean;
}

/** Serves it until SIGINT or SIGTERM. Throws OPTIONS_INVALID, EXPORT_INVALID, INSPECTOR_PORT_TAKEN, and what is wrong with the store. */
export async function inspect(named: string | undefined, options: InspectCommandOptions): Promise<number> {
  const { machines, tree, open = false, commands = false, ...serving } = options;
  const { source, ...how } = await looked(named, { commands, module: machines, tree });
  const stop = new StopRequest();
  try {
    // Only this command needs it.
    const { serveInspector } = await import('../inspector/server/server.ts');
    await using inspector = await serveInspector(source, { ...serving, ...how });
    process.stdout.write(`${inspector.url}\n`);
    const steering = how.desk === undefined ? '' : ': --commands lets whoever looks steer';
    process.stderr.write(`perdure: ${commands ? 'commands are taken' : `read-only${steering}`}\n`);
    const closePage = open ? openPage(inspector.url) : () => {};
    await stop.received;
    closePage();
    return EXIT.ok;
  } finally {
    stop.forget();
    await source.close();
  }
}

interface Looked {
  readonly commands: boolean;
  readonly module: string | undefined;
  readonly tree: string | undefined;
}

async function looked(named: string | undefined, { commands, module, tree }: Looked) {
  if (named !== undefined && !isDatabase(resolve(named))) {
    refuseOfExport(named, commands, '--commands', 'nobody obeys them there');
    refuseOfExport(named, tree !== undefined, '--tree', 'all of it is shown');
    refuseOfExport(named, module !== undefined, '--machines', 'it has its charts');
    return { source: await fileSource(resolve(named)) };
  }
  const path = storeOf(named);
  const machines = module === undefined ? [] : (await loadMachines(module)).charted;
  const source = storeSource(path, { machines, tree });
  return { source, desk: deskBeside(path, { tree: source.tree }), commands };
}

function refuseOfExport(file: string, isGiven: boolean, option: string, why: string): void {
  if (isGiven)
    throw new PerdureError('OPTIONS_INVALID', `${file} is an export: leave ${option} out, ${why}.`, {
      facts: { file },
    });
}

const HEADER = 'SQLite format 3\0';

/** What is no text is taken for a store, which says what is wrong with it. */
function isDatabase(path: string): boolean {
  const start = Buffer.alloc(HEADER.length);
  let file: number;
  try {
    file = openSync(path, 'r');
  } catch {
    return true;
  }
  try {
    const length = readSync(file, start);
    return !start.subarray(0, length).toString().startsWith('{');
  } catch {
    return true;
  } finally {
    closeSync(file);
  }
}
