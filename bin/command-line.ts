/** The commands and options of `perdure`, and what each calls. Its functions give exit codes and throw errors. */
import { createRequire } from 'node:module';
import { Command, InvalidArgumentError, Option } from 'commander';
import { PROFILER_MODES, type ProfilerMode } from '../machines/profiler.ts';
import { approve, deny, listApprovals, type DecideOptions } from './approvals.ts';
import { backup } from './backup.ts';
import { declareCheckpoints } from './checkpoint-commands.ts';
import { doctor, type DoctorOptions } from './doctor.ts';
import { parseDuration } from './duration.ts';
import { graph, type GraphOptions } from './graph.ts';
import { exportStore, type ExportOptions } from './export.ts';
import { listTrees, printHistory, type HistoryCommandOptions } from './history.ts';
import { listStore, type ListOptions } from './list.ts';
import { commandProfiler, printProfile, type ProfileOptions } from './profile.ts';
import { declareQueueing } from './queueing-commands.ts';
import { listResources } from './resources.ts';
import { give, type RemoteOptions } from './remote.ts';
import { STORE } from './named-store.ts';
import { runPlan, type RunOptions } from './run.ts';
import { show, type ShowOptions } from './show.ts';
import { declareSteering, port, token } from './steering-commands.ts';

const LONGEST_LABEL = 300;

/** The program; `exit` is told the exit code of the command that was run. */
export function commandLine(exit: (code: number) => void): Command {
  const program = new Command('perdure')
    .description('Runs plans of real work that survive kill -9, and looks into the stores they live in.')
    .version(packageVersion())
    .exitOverride()
    .configureOutput({ outputError: (text, write) => write(text.replace(/^error: /, 'perdure: ')) })
    .addHelpText(
      'after',
      `
Examples:
  perdure run plan.yaml                  run a plan, or go on where it was
  perdure ls                             what is in the store of this folder
  perdure show nightly:1/test            a step: its outcome, and what it printed

Exit codes: 0 all went well, 1 something failed, 2 wrong usage or plan, 3 not found, 4 the store is owned by another process`,
    );
  declareRun(program, exit);
  declareReading(program, exit);
  declareResources(program, exit);
  declareRemote(program, exit);
  declareApprovals(program, exit);
  declareQueueing(program, exit);
  declareCheckpoints(program, exit);
  declareProfile(program, exit);
  declareGraph(program, exit);
  declareCare(program, exit);
  return program;
}

function declareRun(program: Command, exit: (code: number) => void): void {
  program
    .command('run')
    .description("run a plan: resumes the plan's unfinished run, else starts a new one")
    .argument('<plan>', 'a file in YAML or JSON')
    .option('--store <file>', 'the store; default: beside the plan, <plan>.db')
    .option('--concurrency <n>', "how many steps run at once; default: the plan's, else the processors", wholeNumber)
    .option('--json', 'put one JSON document on stdout, at the end')
    .option('--dry-run', 'only show tracks, critical path and estimated speed-up')
    .addOption(new Option('--retry', 'go on with the newest run although it failed').conflicts('fresh'))
    .option('--fresh', 'abandon the unfinished run, and start a new one')
    .option('--changed', 'leave out the steps with `inputs` that are unchanged since they last went well')
    .option('--accept-changes', 'keep the results of finished steps that are defined otherwise now')
    .option('--grace <duration>', 'from SIGTERM to SIGKILL for what must end; default: 5s', duration)
    .option('--inspect [port]', 'serve the inspector of this run, and print its address on stderr', port)
    .option('--commands', 'with --inspect: let whoever looks give commands; default: it is read-only')
    .addOption(token('with --inspect: '))
    .option('--output-limit <bytes>', 'output kept for each attempt; default: 1048576', wholeNumber)
    .addHelpText(
      'after',
      `
Examples:
  perdure run plan.yaml                  start, or resume after any crash
  perdure run plan.yaml --retry          give what failed another try
  perdure run plan.yaml --fresh          start over
  perdure run plan.yaml --changed        only what has changed
  perdure run plan.yaml --dry-run        look first
  perdure run plan.yaml --inspect        look while it runs
  perdure run plan.yaml --json > out.json`,
    )
    .action(async (plan: string, { grace, ...options }: RunOptions & { grace?: number }) => {
      exit(await runPlan(plan, { ...options, ...(grace === undefined ? {} : { graceMs: grace }) }));
    });
}

function declareReading(program: Command, exit: (code: number) => void): void {
  program
    .command('ls')
    .description('list the plans and actions of a store, also while it is in use')
    .option('--store <file>', STORE)
    .option('--json', 'as JSON')
    .addHelpText('after', '\nExamples:\n  perdure ls\n  perdure ls --store work.db --json')
    .action((options: ListOptions) => exit(listStore(options)));
  program
    .command('show')
    .description('show a plan, a step or an action, also while the store is in use')
    .argument('<id>', 'such as nightly:1, nightly:1/test, or the id of an action')
    .option('--store <file>', STORE)
    .option('--json', 'as JSON')
    .addHelpText('after', '\nExamples:\n  perdure show nightly:1\n  perdure show nightly:1/test --store work.db')
    .action((id: string, options: ShowOptions) => exit(show(id, options)));
}

function declareResources(program: Command, exit: (code: number) => void): void {
  program
    .command('resources')
    .description('list what memory, disk and the like are left, what is forecast, and how good forecasts were')
    .argument('[store]', STORE)
    .option('--json', 'as JSON')
    .addHelpText('after', '\nExamples:\n  perdure resources\n  perdure resources work.db --json')
    .action((store: string | undefined, options: { json?: boolean }) => exit(listResources(store, options)));
}

function declareRemote(program: Command, exit: (code: number) => void): void {
  program
    .command('pause')
    .description('start nothing more; what runs may end')
    .option('--store <file>', STORE)
    .addHelpText('after', '\nExample:\n  perdure pause --store work.db')
    .action(async (options: RemoteOptions) => exit(await give(options, { command: 'pause' })));
  program
    .command('resume')
    .description('start again what waits')
    .option('--store <file>', STORE)
    .addHelpText('after', '\nExample:\n  perdure resume --store work.db')
    .action(async (options: RemoteOptions) => exit(await give(options, { command: 'resume' })));
  const asking = (command: string, description: string, id: string, example: string) =>
    program
      .command(command)
      .description(description)
      .argument('<id>', id)
      .option('--store <file>', STORE)
      .addHelpText('after', `\nExamples:\n  perdure ${command} ${example}`)
      .action(async (of: string, options: RemoteOptions) => exit(await give(options, { command, params: { id: of } })));
  asking(
    'cancel',
    'cancel a run, an action, or a step that has started: one that waits goes with its run',
    'such as nightly:1, nightly:1/test, or the id of an action',
    'nightly:1\n  perdure cancel nightly:1/test --store work.db',
  );
  asking(
    'retry',
    'give what failed in a run another round, or begin the next attempt of an action that backs off now',
    'of a run, or of an action or a step that waits for its next attempt',
    'nightly:1\n  perdure retry nightly:1/upload',
  );
  asking(
    'run-now',
    'queue an action now that was submitted for later, or submit an occurrence of a schedule',
    'of an action that is delayed, or of a schedule',
    'reminder:7\n  perdure run-now nightly',
  );
  declareSteering(program, exit);
}

function declareApprovals(program: Command, exit: (code: number) => void): void {
  program
    .command('approvals')
    .description(
      'list what waits for an approval, with its risk and what silence means, also while the store is in use',
    )
    .argument('[store]', STORE)
    .option('--json', 'as JSON')
    .addHelpText('after', '\nExamples:\n  perdure approvals\n  perdure approvals work.db --json')
    .action((store: string | undefined, options: { json?: boolean }) => exit(listApprovals(store, options)));
  const deciding = (name: string, description: string, decide: typeof approve) =>
    program
      .command(name)
      .description(description)
      .argument('<id>', 'of the approval, or of the action or step that asks; or what `perdure approvals` calls it')
      .option('--by <who>', 'who says so, up to 100 characters; default: your user name', label)
      .option('--note <text>', 'why, for whoever looks at it later: up to 2000 characters')
      .option('--store <file>', STORE)
      .addHelpText('after', `\nExample:\n  perdure ${name} nightly:1/deploy --note 'seen on staging'`)
      .action(async (id: string, options: DecideOptions) => exit(await decide(id, options)));
  deciding('approve', 'let an action run that asks', approve);
  deciding('deny', 'do not let it run: its outcome is then denied', deny);
}

function declareProfile(program: Command, exit: (code: number) => void): void {
  program
    .command('profile')
    .description('say where time went, also while the store is in use')
    .argument('[store]', STORE)
    .option('--plan <id>', 'only this run, or the newest run of a plan of this name')
    .option('--cpuprofile <file>', 'write it in the format of V8, for the developer tools of browsers and editors')
    .option('--trace <file>', 'write single spans of late in the format of Chrome, also for Perfetto and speedscope')
    .option('--flame <file>', 'write it as a flame graph: { name, value, self, children }')
    .option('--json', 'as JSON')
    .addOption(
      new Option('--mode <mode>', 'let more or less be measured, and print nothing of it')
        .choices([...PROFILER_MODES])
        .conflicts(['plan', 'cpuprofile', 'trace', 'flame', 'json']),
    )
    .addHelpText(
      'after',
      '\nExamples:\n  perdure profile work.db\n  perdure profile --plan nightly\n  perdure profile --cpuprofile work.cpuprofile',
    )
    .action(async (store: string | undefined, { mode, ...options }: ProfileOptions & { mode?: ProfilerMode }) =>
      exit(
        mode === undefined
          ? printProfile(store, options)
          : await commandProfiler(mode, store === undefined ? {} : { store }),
      ),
    );
}

function declareGraph(program: Command, exit: (code: number) => void): void {
  program
    .command('graph')
    .description('draw a machine: one of our own by its name, or one that a module exports')
    .argument('[machine]', 'such as action, or machines.mjs#orderMachine; default: list our own')
    .addOption(new Option('--mermaid', 'as Mermaid, for READMEs and issues; the default').conflicts(['svg', 'json']))
    .addOption(new Option('--svg', 'as an SVG that stands alone, light or dark as its reader has it').conflicts('json'))
    .option('--json', 'its states and transitions as JSON')
    .option('-o, --output <file>', 'write it to a file; default: to stdout')
    .addHelpText(
      'after',
      '\nExamples:\n  perdure graph action\n  perdure graph machines.mjs#orderMachine --svg -o order.svg',
    )
    .action(async (machine: string | undefined, options: GraphOptions) => exit(await graph(machine, options)));
}

function declareCare(program: Command, exit: (code: number) => void): void {
  program
    .command('trees')
    .description('list the trees of a store, also while it is in use')
    .argument('[store]', STORE)
    .option('--json', 'as JSON')
    .addHelpText('after', '\nExample:\n  perdure trees work.db --json')
    .action((store: string | undefined, options: { json?: boolean }) => exit(listTrees(store, options)));
  program
    .command('history')
    .description('print the committed turns that a store keeps, the oldest first, also while it is in use')
    .argument('[store]', STORE)
    .option('--tree <id>', 'only turns that concern this tree')
    .option('--from <turn>', 'the first turn', wholeNumber)
    .option('--json', 'one JSON document a line')
    .option('--ndjson', 'the same as `perdure export`: lines for another inspector')
    .addHelpText('after', '\nExamples:\n  perdure history work.db\n  perdure history work.db --tree order-1 --json')
    .action(async (store: string | undefined, options: HistoryCommandOptions & { ndjson?: boolean }) => {
      exit(await (options.ndjson === true ? exportStore(store, options) : printHistory(store, options)));
    });
  program
    .command('export')
    .description('write what a store holds, its history too, as NDJSON that `perdure inspect` opens without the store')
    .argument('[store]', STORE)
    .option('-o, --output <file>', 'a file that does not exist; default: the standard output')
    .option('--tree <id>', 'only this tree')
    .option('--from <turn>', 'the first turn of the history', wholeNumber)
    .option('--machines <module>', 'a module that exports the machines of the trees, for their charts')
    .addHelpText('after', '\nExample:\n  perdure export work.db -o work.ndjson')
    .action(async (store: string | undefined, options: ExportOptions) => exit(await exportStore(store, options)));
  program
    .command('backup')
    .description('copy a store to a new file, also while it is in use')
    .argument('<store>', 'the store')
    .argument('<target>', 'a file that does not exist')
    .addHelpText('after', '\nExample:\n  perdure backup work.db work-copy.db')
    .action(async (store: string, target: string) => exit(await backup(store, target)));
  program
    .command('doctor')
    .description('say whether a store is sound, what is in it, and what to do; changes nothing unless it is told to')
    .argument('[store]', STORE)
    .option('--json', 'as JSON')
    .option('--repair', 'mend indexes, count trees again, and put orphans into the quarantine; deletes nothing')
    .option('--restore', 'take trees whose rows are damaged back to their newest checkpoint that is whole')
    .option('--accept-older', 'let an older copy take the place of the store: it begins a new generation')
    .option('--migrate <module>', 'try on a copy what the machines of this module make of every tree')
    .addHelpText(
      'after',
      `
Examples:
  perdure doctor work.db
  perdure doctor work.db --migrate machines.mjs
  perdure doctor work.db --repair

Exit codes: 0 sound, 1 something was found, 3 there is no such store, 4 it is owned and was to be changed`,
    )
    .action(async (store: string | undefined, options: DoctorOptions) => exit(await doctor(store, options)));
}

function wholeNumber(text: string): number {
  const number = Number(text);
  if (/^\d+$/.test(text) && Number.isSafeInteger(number) && number >= 1) return number;
  throw new InvalidArgumentError('Expected a whole number from 1.');
}

/** Who said something, and why: kept with the approval. */
function label(text: string): string {
  if (text.trim() !== '' && text.length <= LONGEST_LABEL) return text;
  throw new InvalidArgumentError(`Expected a text of 1 to ${LONGEST_LABEL} characters.`);
}

function duration(text: string): number {
  const ms = parseDuration(/^\d+(\.\d+)?$/.test(text) ? Number(text) : text);
  if (ms !== undefined) return ms;
  throw new InvalidArgumentError('Expected a duration such as 500ms, 90s or 10m.');
}

/** The package finds itself by its name, wherever it was compiled to. */
function packageVersion(): string {
  return (createRequire(import.meta.url)('perdure/package.json') as { readonly version: string }).version;
}
