/**
 * Whether a machine is durable, tried by random walks. The laws stand in trial.ts, what walks are made of in walk.ts.
 */
import type * as FastCheck from 'fast-check';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { AnyStateMachine, EventFromLogic, InputFrom } from 'xstate';
import { PerdureError } from '../errors.ts';
import { Store } from '../persistence/store.ts';
import type { AnyEventObject } from '../persistence/xstate-port.ts';
import type { MachineOfLife } from './life.ts';
import { delaysOf, eventTypesOf } from './machine-facts.ts';
import { Outside } from './outside.ts';
import { notDurable } from './report.ts';
import { tryWalk, type Breach, type Survey, type TrialOptions } from './trial.ts';
import { firstWalks, simpler, walks, type Step } from './walk.ts';

/** What fast-check calls an arbitrary, as far as it is needed here. */
export interface EventSource<TPayload> {
  generate(random: never, bias: number | undefined): { readonly value: TPayload };
}

type PayloadOf<TEvent, TType> = Omit<Extract<TEvent, { readonly type: TType }>, 'type'>;

/** For each type of event, an arbitrary of what is in it beside the type. */
export type EventSources<TEvent extends { readonly type: string }> = {
  readonly [TType in TEvent['type']]?: EventSource<PayloadOf<TEvent, TType>>;
};

/** Options of {@link checkDurable}. */
export interface CheckOptions<TMachine extends AnyStateMachine> {
  readonly input?: InputFrom<TMachine>;
  /**
   * What is sent: examples, or a fast-check arbitrary per type of event. Default: `{ type }` for every type that the machine
   * names, as the summary then tells.
   */
  readonly events?: readonly EventFromLogic<TMachine>[] | EventSources<EventFromLogic<TMachine>>;
  /** Random walks, beside the few short ones that come first. Default: 100. */
  readonly runs?: number;
  /** Steps of the longest walk. Default: 30. */
  readonly commands?: number;
  /** By how much the clock is moved, in ms; halves and what is just too short too. Default: the machine's `after` delays. */
  readonly delays?: readonly number[];
  /** Of a report, to see the same again. Default: a new seed. */
  readonly seed?: number;
  readonly path?: string;
  /** When no new walk begins any more, in ms. Default: never. */
  readonly timeoutMs?: number;
  /** Ends the check early, which then rejects with ABORTED. */
  readonly signal?: AbortSignal;
}

/** What a check has tried without finding anything. */
export interface CheckSummary {
  /** Walks that were done. */
  readonly runs: number;
  /** `<machine id>.<state>` of every state that some actor of the tree was in. */
  readonly states: readonly string[];
  /** How many events were sent. */
  readonly events: number;
  /** Types of events that the machine names or that were sent, and that never changed anything. */
  readonly withoutEffect: readonly string[];
  /** Types of events that were made up as `{ type }`, because no `events` were given. */
  readonly derived: readonly string[];
  readonly seed: number;
}

/**
 * Tries whether a machine survives crashes: random events, passing time and crashes on a real store, compared after every
 * step with a run that never crashes. Needs the package `fast-check`.
 *
 * Pass a function to make the machine anew for every life of its process, so that what it keeps in closures is lost by a
 * crash as it would be. Promise, callback and observable actors should answer at once and always the same: replace them with
 * `machine.provide({ actors })`. `Date`, `Math.random`, `crypto.randomUUID` and `setTimeout` are simulated inside of turns.
 *
 * Throws NOT_DURABLE with a report; OPTIONS_INVALID; DEPENDENCY_MISSING without fast-check; ABORTED.
 *
 * @example
 * await checkDurable(orderMachine, {
 *   events: [{ type: 'order.add', cents: 100 }, { type: 'order.pay' }],
 * });
 */
export async function checkDurable<TMachine extends AnyStateMachine>(
  machine: TMachine | MachineOfLife<TMachine>,
  options: CheckOptions<TMachine> = {},
): Promise<CheckSummary> {
  if (options.signal?.aborted === true) throw aborted(options.signal);
  const fc = await loadFastCheck(() => import('fast-check'));
  const folder = mkdtempSync(join(existsSync('/dev/shm') ? '/dev/shm' : tmpdir(), 'perdure-check-'));
  try {
    const made: MachineOfLife<TMachine> = typeof machine === 'function' ? machine : () => machine;
    return await check(fc, folder, made, options);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** The optional peer, or an error that says so. */
export async function loadFastCheck(load: () => Promise<typeof FastCheck>): Promise<typeof FastCheck> {
  try {
    return await load();
  } catch (error) {
    throw new PerdureError(
      'DEPENDENCY_MISSING',
      'checkDurable needs the package fast-check, which could not be loaded: npm install --save-dev fast-check',
      { cause: error, facts: { package: 'fast-check' } },
    );
  }
}

/** Carries a breach through fast-check. */
class Found extends Error {
  readonly breach: Breach;

  constructor(breach: Breach) {
    super(breach.law);
    this.breach = breach;
  }
}

async function check<TMachine extends AnyStateMachine>(
  fc: typeof FastCheck,
  folder: string,
  machine: MachineOfLife<TMachine>,
  options: CheckOptions<TMachine>,
): Promise<CheckSummary> {
  const { runs = 100, commands = 30, signal } = options;
  const seed = options.seed ?? Math.floor(Math.random() * 2 ** 31);
  const specimen = specimenOf(machine, folder);
  const delays = options.delays ?? delaysOf(specimen);
  refuseWrong({ runs, commands }, delays);
  const sources = sourcesOf(fc, specimen, options.events);
  const survey: Survey = { states: new Set(), effective: new Set(), sent: 0 };
  const outside = new Outside();
  const trial: TrialOptions = { folder, machine, input: options.input, outside, survey };
  const examples = firstWalks(
    sources.map((source) => fc.sample(source, { numRuns: 1, seed })[0] as AnyEventObject),
    delays,
  );
  const property = fc.asyncProperty(walks(fc, { event: fc.oneof(...sources), delays, commands }), async (walk) => {
    signal?.throwIfAborted();
    const breach = await tryWalk(walk, trial);
    if (breach !== undefined) throw new Found(breach);
  });
  const result = await fc.check(property, {
    numRuns: runs + examples.length,
    seed,
    examples: examples.map((walk): [Step[]] => [walk]),
    ...(options.path === undefined ? {} : { path: options.path }),
    ...(options.timeoutMs === undefined ? {} : { interruptAfterTimeLimit: options.timeoutMs }),
  });
  if (signal?.aborted === true) throw aborted(signal);
  if (result.errorInstance instanceof Found) {
    const breach = await shortest(result.errorInstance.breach, delays, trial);
    const replay = { seed, path: result.counterexamplePath ?? '' };
    const used = new Set(outside.used);
    throw notDurable(specimen.id, breach, { ...(await diagnose(breach, trial)), used }, replay);
  }
  if (result.failed && result.errorInstance !== null) throw result.errorInstance;
  const types = new Set([
    ...eventTypesOf(specimen),
    ...examples.flat().flatMap((s) => ('event' in s ? s.event.type : [])),
  ]);
  return {
    runs: result.numRuns,
    states: [...survey.states].sort(),
    events: survey.sent,
    withoutEffect: [...types].filter((type) => !survey.effective.has(type)).sort(),
    derived: options.events === undefined ? eventTypesOf(specimen) : [],
    seed,
  };
}

/** A machine to ask what it is. */
function specimenOf<TMachine extends AnyStateMachine>(machine: MachineOfLife<TMachine>, folder: string): TMachine {
  const store = Store.open(join(folder, 'specimen.db'), { durability: 'process-crash' });
  try {
    return machine({ store });
  } finally {
    store.close();
  }
}

type Events = readonly AnyEventObject[] | Readonly<Record<string, EventSource<object> | undefined>> | undefined;

/** One arbitrary for each example, or for each type of event. */
function sourcesOf(
  fc: typeof FastCheck,
  machine: AnyStateMachine,
  events: Events,
): FastCheck.Arbitrary<AnyEventObject>[] {
  const given = events ?? eventTypesOf(machine).map((type) => ({ type }));
  const sources = Array.isArray(given)
    ? (given as readonly AnyEventObject[]).map((event) => fc.constant(event))
    : Object.entries(given as Record<string, FastCheck.Arbitrary<object>>).map(([type, payload]) =>
        payload.map((parts): AnyEventObject => ({ ...parts, type })),
      );
  if (sources.length > 0) return sources;
  throw new PerdureError(
    'OPTIONS_INVALID',
    `There is no event to send to "${machine.id}": it names none (or only patterns), so pass \`events\`.`,
    { facts: { machine: machine.id } },
  );
}

function refuseWrong(counts: Readonly<Record<string, number>>, delays: readonly number[]): void {
  for (const [name, count] of Object.entries(counts)) {
    if (Number.isInteger(count) && count >= 1) continue;
    throw new PerdureError('OPTIONS_INVALID', `${name} must be a whole number of at least 1, got ${count}.`, {
      facts: { [name]: count },
    });
  }
  if (delays.length > 0 && delays.every((ms) => Number.isFinite(ms) && ms > 0)) return;
  throw new PerdureError(
    'OPTIONS_INVALID',
    `delays must be positive numbers of ms, at least one; got [${delays.join()}].`,
    {
      facts: { delays },
    },
  );
}

/** Drops what the breach does not need. fast-check has done so already, but for the first walks. */
async function shortest(breach: Breach, delays: readonly number[], trial: TrialOptions): Promise<Breach> {
  for (const steps of simpler(breach.steps, delays)) {
    const same = await tryWalk(steps, trial);
    if (same?.law === breach.law) return shortest(same, delays, trial);
  }
  return breach;
}

/** Tells a restart from other causes: the steps once more, and once without any crash. */
async function diagnose(breach: Breach, trial: TrialOptions): Promise<{ withoutCrash: boolean; onlyOnce: boolean }> {
  const calm = breach.steps.map(uncrashed);
  return {
    onlyOnce: (await tryWalk(breach.steps, trial)) === undefined,
    withoutCrash: (await tryWalk(calm, trial)) !== undefined,
  };
}

function uncrashed(step: Step): Step {
  if (step.kind === 'crash') return { kind: 'advance', ms: step.awayMs };
  return step.kind === 'advance' ? step : { kind: 'send', event: step.event };
}

function aborted(signal: AbortSignal): PerdureError {
  return new PerdureError('ABORTED', 'checkDurable was aborted.', { cause: signal.reason });
}
