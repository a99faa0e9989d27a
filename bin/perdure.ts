#!/usr/bin/env node
/** The `perdure` command: runs a command line, and ends the process with its exit code. */
import { CommanderError } from 'commander';
import { commandLine } from './command-line.ts';
import { EXIT, exitCodeOf, failureText } from './failure.ts';

async function main(): Promise<number> {
  let code: number = EXIT.ok;
  try {
    await commandLine((given) => (code = given)).parseAsync();
    return code;
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.ok : EXIT.usage;
    process.stderr.write(failureText(error));
    return exitCodeOf(error);
  }
}

/** A reader that has seen enough (`perdure run plan.yaml 2>&1 | head`) is no reason to stop what runs. */
function passBrokenPipe(error: NodeJS.ErrnoException): void {
  if (error.code !== 'EPIPE') throw error;
}

process.stdout.on('error', passBrokenPipe);
process.stderr.on('error', passBrokenPipe);

const code = await main();
// What a step's module left open must not keep the process; what was written must be out.
process.stdout.write('', () => process.exit(code));
