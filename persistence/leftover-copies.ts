/** Copies that were not finished because their process was killed: they lie beside their target, and take room. */
import { readdirSync, rmSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';

/** What lies beside a copy while it is written. */
const COPY_FILES = ['', '-journal', '-wal', '-shm'] as const;

const writing = new Set<string>();
let copies = 0;

/** A name beside the target for a copy that begins now: another each time, for two copies to one target must not write one file. */
export function beginCopy(target: string): string {
  const partial = `${target}-partial-${process.pid}-${(copies += 1)}`;
  writing.add(partial);
  return partial;
}

/** The copy has its name, or is given up. */
export function endCopy(partial: string): void {
  writing.delete(partial);
  for (const end of COPY_FILES) rmSync(`${partial}${end}`, { force: true });
}

/** Removes what is left of copies to this target whose process is gone. */
export function removeLeftovers(target: string): void {
  const folder = dirname(target);
  for (const name of readdirSync(folder)) {
    if (!name.startsWith(`${basename(target)}-partial-`)) continue;
    const [partial, pid] = /^-partial-(\d+)-\d+/.exec(name.slice(basename(target).length)) ?? [];
    if (partial === undefined) continue;
    // A process that was killed may have had our number.
    const isOurs = Number(pid) === process.pid;
    if (isOurs ? writing.has(`${target}${partial}`) : isAlive(Number(pid))) continue;
    rmSync(join(folder, name), { force: true });
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code !== 'ESRCH';
  }
}
