/** Opens an address in the browser of whoever sits there. */
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const OPENERS: Readonly<Partial<Record<NodeJS.Platform, readonly [string, ...string[]]>>> = {
  darwin: ['open'],
  win32: ['cmd', '/c', 'start', ''],
};

/**
 * The address holds a secret, and arguments of a process can be read by all users: so the browser is given a file that leads
 * there, which only this user reads. What is given removes it.
 */
export function openPage(url: string): () => void {
  const folder = mkdtempSync(join(tmpdir(), 'perdure-inspect-'));
  const file = join(folder, 'inspector.html');
  writeFileSync(file, pageOf(url), { mode: 0o600 });
  const [opener, ...args] = OPENERS[process.platform] ?? ['xdg-open'];
  const child = spawn(opener, [...args, file], { stdio: 'ignore', detached: true });
  child.once('error', () =>
    process.stderr.write(`perdure: no browser could be opened with ${opener}: open the address\n`),
  );
  child.unref();
  return () => rmSync(folder, { recursive: true, force: true });
}

function pageOf(url: string): string {
  const quoted = url.replaceAll('&', '&amp;').replaceAll('"', '&quot;').replaceAll('<', '&lt;');
  return `<!doctype html><meta charset="utf-8"><meta name="referrer" content="no-referrer"><meta http-equiv="refresh" content="0;url=${quoted}"><title>Perdure</title>`;
}
