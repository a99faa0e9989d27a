/** Which of the tools that break things work here, so that a test that needs one says so when it is skipped. */
import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

function works(program: string, ...args: string[]): boolean {
  try {
    execFileSync(program, args, { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}

/** strace may trace, and inject faults. */
export const canTrace = works('strace', '-qq', '-e', 'trace=fsync', '-e', 'inject=fsync:signal=SIGKILL:when=9', 'true');

/** File systems may be mounted. */
export const canMount = (() => {
  const folder = mkdtempSync(join(tmpdir(), 'perdure-mount-'));
  const can = works('mount', '-t', 'tmpfs', '-o', 'size=64k', 'tmpfs', folder) && works('umount', folder);
  rmdirSync(folder);
  return can;
})();

/** A process may have another /proc than all others. */
export const canHideProc = works('unshare', '--mount', 'mount', '-t', 'tmpfs', 'none', '/proc');

/** The limits of a running process may be changed. */
export const canLimit = works('prlimit', '--pid', String(process.pid), '--fsize');

/** The library that bends the time of a process; undefined where it is not installed. */
export const faketime = [
  '/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1',
  '/usr/lib/aarch64-linux-gnu/faketime/libfaketime.so.1',
  '/usr/lib/faketime/libfaketime.so.1',
  '/usr/local/lib/faketime/libfaketime.so.1',
].find((path) => existsSync(path));

/** For the name of a test that may have to be skipped. */
export function without(tool: string, isThere: boolean): string {
  return isThere ? '' : ` (skipped: ${tool} is missing or not permitted)`;
}
