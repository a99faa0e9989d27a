import { execFileSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';

/** Node 20 runs no TypeScript, so the process that is killed runs from compiled files: its own and those it imports. */
export default function compile(): void {
  const project = fileURLToPath(new URL('./tsconfig.json', import.meta.url));
  execFileSync('npx', ['tsc', '-p', project], { stdio: 'inherit' });
}
