/**
 * One walk, done twice: by a tree that crashes when it is told to, and by one that never does and sleeps instead. After
 * every step the two are compared in everything that can be noticed of them.
 *
 * The uncrashed tree goes first, and is looked at alone: what cannot be stored has nothing to do with a crash.
 */
import { join } from 'node:path';
import { PerdureError, isPerdureError, messageOf, type PerdureErrorCode } from '../errors.ts';
import type { AnyEventObject } from '../persistence/xstate-port.ts';
import { SimulatedClock } from '../persistence/simulated-clock.ts';
import { isMachine, listensTo, type Logic } from '../persistence/xstate-port.ts';
import { waveringGuard } from './decisions.ts';
import { differences, type Difference } from './difference.ts';
import { Life, type LifeOptions } from './life.ts';
import type { Outside, Use } from './outside.ts';
import { StoredWhole, spoiledEvent, type Spoiled } from './stored-whole.ts';
import { statesOf, viewOf } from './tree-view.ts';
import { inWords, type Step } from './walk.ts';

/**
 * What a durable machine keeps: `restore` is invisible; all of it is `storable`; a `crash` loses nothing and does nothing
 * twice; and two runs of the same steps are the same (`repeatable`), or nothing could be compared.
 */
export type Law = 'restore' | 'storable' | 'crash' | 'repeatable';

/** A law that did not hold in a walk. */
export interface Breach {
  readonly law: Law;
  /** Up to the one at which it showed. */
  readonly steps: readonly Step[];
  readonly differences: readonly Difference[];
  /** What the runtime, or the machine, said. */
  readonly said: string | undefined;
  /** The code of that. */
  readonly code: PerdureErrorCode | undefined;
  readonly about: Spoiled | undefined;
  /** The actor that failed after the crash and not before it. */
  readonly failed: boolean;
  readonly guardReads: readonly Use[] | undefined;
}

/** What a check learns of a machine from walk to walk. */
export interface Survey {
  readonly states: Set<string>;
  /** Types of events that made a difference. */
  readonly effective: Set<string>;
  sent: number;
}

/** What a trial needs. */
export interface TrialOptions extends Pick<LifeOptions, 'machine' | 'input'> {
  readonly folder: string;
  readonly outside: Outside;
  readonly survey: Survey;
}

class Breached extends Error {
  readonly breach: Omit<Breach, 'steps'>;

  constructor(law: Law, rest: Partial<Breach> = {}) {
    super(law);
    const none = { differences: [], failed: false };
    this.breach = { said: undefined, code: undefined, about: undefined, guardReads: undefined, ...none, ...rest, law };
  }
}

/** Errors with which a send ends alike in both trees, and which say nothing against the machine. */
const ORDINARY: ReadonlySet<string> = new Set(['ACTOR_STOPPED']);
/** Passes of the event loop without a commit after which nothing is under way any more. */
const QUIET_PASSES = 3;
const MOST_PASSES = 1_000;

let trials = 0;

/** Does the walk; returns the law that it broke, if any. */
export async function tryWalk(steps: readonly Step[], options: TrialOptions): Promise<Breach | undefined> {
  const trial = new Trial(options);
  let done = 0;
  try {
    await trial.start();
    for (const step of steps) {
      done += 1;
      await trial.take(step, done);
      if (trial.ended) break;
    }
    return undefined;
  } catch (error) {
    if (error instanceof Breached) return { ...error.breach, steps: steps.slice(0, done) };
    throw error;
  } finally {
    await trial.end();
  }
}

class Trial {
  readonly #clock = new SimulatedClock(1_700_000_000_000);
  readonly #model: Life;
  readonly #real: Life;
  readonly #stored = new StoredWhole();
  readonly #survey: Survey;
  #messages = 0;
  #crashed = false;
  /** The type of the event that the present step sent. */
  #sent: string | undefined;

  constructor({ folder, machine, input, outside, survey }: TrialOptions) {
    const name = join(folder, `trial-${(trials += 1)}`);
    const options = { machine, input, outside, clock: this.#clock };
    this.#model = new Life({ ...options, path: `${name}-model.db` });
    this.#real = new Life({ ...options, path: `${name}-real.db` });
    this.#survey = survey;
  }

  async start(): Promise<void> {
    this.#begin('start');
    try {
      await this.#model.open();
      await this.#real.open();
    } catch (error) {
      if (isPerdureError(error) && !error.code.startsWith('STORE_')) throw new Breached('storable', saidBy(error));
      throw error;
    }
    await this.#settle();
    this.#checkStored();
    this.#compare('repeatable');
  }

  /** Whether the root takes no more events, so that nothing more of it can be seen. */
  get ended(): boolean {
    return this.#model.root.getSnapshot().status !== 'active';
  }

  async take(step: Step, number: number): Promise<void> {
    this.#begin(`${number} ${inWords(step)}`);
    this.#sent = undefined;
    await this.#do(step);
    const law = step.kind === 'send' ? 'restore' : 'crash';
    this.#compare(this.#crashed ? law : 'repeatable');
    for (const state of statesOf(this.#model.root)) this.#survey.states.add(state);
    // What a timer or a child sends was meant to be heard.
    for (const { events } of Object.values(this.#model.heard)) {
      for (const { type } of events) if (type !== this.#sent) this.#survey.effective.add(type);
    }
  }

  async end(): Promise<void> {
    await this.#model.close();
    await this.#real.close();
  }

  #begin(moment: string): void {
    this.#model.begin(moment);
    this.#real.begin(moment);
  }

  async #do(step: Step): Promise<void> {
    switch (step.kind) {
      case 'send':
        return this.#send(step.event, () => this.#real.send(step.event));
      case 'advance':
        await this.#clock.advance(step.ms);
        await this.#settle();
        return this.#checkStored();
      case 'crash':
        return this.#crash(step.awayMs);
      case 'sendLost':
        return this.#loseAndSend(step.event);
      case 'sendUnanswered':
        return this.#send(step.event, () => this.#commitAndRepeat(step.event));
    }
  }

  async #send(event: AnyEventObject, sendReal: () => Promise<unknown>): Promise<void> {
    this.#checkEvent(event);
    const before = this.#model.root.getSnapshot() as unknown;
    const expected = await outcome(this.#model.send(event));
    await this.#settle();
    this.#checkStored();
    this.#note(event, before);
    const actual = await outcome(sendReal());
    await this.#settle();
    if (expected !== actual) throw new Breached(this.#crashed ? 'crash' : 'repeatable', ended(expected, actual));
    const [, code, said] = /^(\w+): (.*)$/s.exec(expected) ?? [];
    if (code === undefined || ORDINARY.has(code)) return;
    throw new Breached('storable', { said, code: code as PerdureErrorCode });
  }

  #note(event: AnyEventObject, before: unknown): void {
    const acted = Object.values(this.#model.heard).some(({ actions }) => actions.length > 0);
    if (acted || this.#model.root.getSnapshot() !== before) this.#survey.effective.add(event.type);
    this.#survey.sent += 1;
    this.#sent = event.type;
  }

  async #crash(awayMs: number): Promise<void> {
    this.#model.sleep();
    this.#real.crash();
    await this.#clock.advance(awayMs);
    await this.#reopen();
    await this.#tellResumed();
    this.#model.wake();
    await this.#clock.advance(0);
    await this.#settle();
    this.#checkStored();
  }

  /** Not in any commit: the event is gone as if it had never been sent. Sent again it is applied. */
  async #loseAndSend(event: AnyEventObject): Promise<void> {
    this.#checkEvent(event);
    const options = this.#messageId();
    const lost = outcome(this.#real.send(event, options));
    this.#real.crash();
    this.#real.forget();
    const said = await lost;
    if (said === 'acknowledged') throw new Breached('crash', ended('rejected', said));
    await this.#reopen();
    await this.#tellResumed();
    await this.#settle();
    this.#compare('crash');
    await this.#send(event, () => this.#real.send(event, options));
  }

  /** Committed: sent again it is a repeat. */
  async #commitAndRepeat(event: AnyEventObject): Promise<unknown> {
    const options = this.#messageId();
    const first = outcome(this.#real.send(event, options));
    this.#real.durable.store.flush();
    // What is still under way comes after `runtime.resumed`, which the tree that slept cannot be told in between.
    if (this.#listens) await this.#settle();
    this.#real.crash();
    const answered = await first;
    await this.#reopen();
    await this.#tellResumed();
    const receipt = await this.#real.send(event, options);
    if (answered === 'acknowledged' && receipt.applied) {
      throw new Breached('crash', ended('a repeat, which is not applied', 'applied twice'));
    }
    return receipt;
  }

  #messageId(): { id: string } {
    return { id: `message-${(this.#messages += 1)}` };
  }

  async #reopen(): Promise<void> {
    this.#crashed = true;
    try {
      await this.#real.open();
    } catch (error) {
      throw new Breached('restore', saidBy(error));
    }
  }

  get #listens(): boolean {
    return listensTo((this.#model.root as unknown as { logic: Logic }).logic, 'runtime.resumed');
  }

  /** A machine that wants to know that it came back is told; the one that slept is told the same. */
  async #tellResumed(): Promise<void> {
    if (!this.#listens || this.ended) return;
    await this.#model.send({ type: 'runtime.resumed', at: this.#clock.now(), turn: 0 });
  }

  /** Until nothing is committed any more: the results of promises come with commits of their own. */
  async #settle(): Promise<void> {
    let seen = -1;
    for (let pass = 0, quiet = 0; quiet < QUIET_PASSES && pass < MOST_PASSES; pass++) {
      await new Promise((resolve) => setImmediate(resolve));
      const commits = this.#model.commits + this.#real.commits;
      quiet = commits === seen ? quiet + 1 : 0;
      seen = commits;
    }
  }

  #checkEvent(event: AnyEventObject): void {
    const { root } = this.#model;
    const about = refusedAs('storable', () => spoiledEvent(event));
    if (about !== undefined) throw new Breached('storable', { about, differences: about.differences });
    if (!isMachine((root as unknown as { logic: Logic }).logic)) return;
    const guardReads = waveringGuard(root, event, this.#clock);
    if (guardReads !== undefined) throw new Breached('repeatable', { guardReads });
  }

  #checkStored(): void {
    const [incident] = this.#model.newRefusals();
    if (incident !== undefined) throw new Breached('storable', { said: incident });
    const about = refusedAs('storable', () => this.#stored.check(this.#model.root));
    if (about !== undefined) throw new Breached('storable', { about, differences: about.differences });
  }

  #compare(law: Law): void {
    const [model, real] = [viewOf(this.#model.root), viewOf(this.#real.root)];
    const found = differences(model, real);
    const unlike = found.length > 0 ? found : differences(this.#model.heard, this.#real.heard, 'heard');
    if (unlike.length === 0) return;
    throw new Breached(law, { differences: unlike, failed: found.some(({ path }) => /(^|\.)error/.test(path)) });
  }
}

function saidBy(error: unknown): Partial<Breach> {
  return { said: messageOf(error), code: isPerdureError(error) ? error.code : undefined };
}

function refusedAs<T>(law: Law, check: () => T): T {
  try {
    return check();
  } catch (error) {
    if (isPerdureError(error, 'CODEC_REFUSED')) throw new Breached(law, saidBy(error));
    throw error;
  }
}

function ended(expected: string, actual: string): Partial<Breach> {
  return { differences: [{ path: 'the send', expected, actual }] };
}

/** How a send ended, in words that are the same in both trees. */
async function outcome(sent: Promise<unknown>): Promise<string> {
  try {
    await sent;
    return 'acknowledged';
  } catch (error) {
    if (error instanceof Breached) throw error;
    if (error instanceof PerdureError) return `${error.code}: ${error.message}`;
    throw error;
  }
}
