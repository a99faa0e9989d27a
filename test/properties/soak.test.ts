/**
 * Eight hours of a busy tree in some seconds: time is moved by hand, and crashes, outages and failing commits come from a
 * seed. PERDURE_SEED repeats a run.
 */
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import Database from 'better-sqlite3';
import { expect, onTestFinished, test } from 'vitest';
import type { PerdureError } from '../../errors.ts';
import { crash } from '../../persistence/crash.ts';
import { createDurableActor } from '../../persistence/create.ts';
import type { DurableActor } from '../../persistence/durable.ts';
import { SimulatedClock } from '../../persistence/simulated-clock.ts';
import { Store } from '../../persistence/store.ts';
import { hubMachine, isQuiet, marksTable, type HubContext } from '../recovery/hub.ts';
import { clientsOf, randomOf, scriptOf, type ClientEvent, type Workload } from '../recovery/workload.ts';
import { quickStore } from '../support/temp.ts';

const seed = Number(process.env['PERDURE_SEED'] ?? Date.now() % 1_000_000);
const EIGHT_HOURS_MS = 8 * 3_600_000;
const workload: Workload = { seed, clients: 3, events: 1_200 };
/** A send is repeated so often before it counts as lost. */
const REPEATS = 6;
const HEAP_GROWTH = 12 * 1024 * 1024;

setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc') as () => void;

type Hub = ReturnType<typeof hubMachine>;

/** A durable hub that crashes and comes back, on a clock that is moved by hand. */
class Soak {
  readonly clock = new SimulatedClock(1_700_000_000_000);
  readonly wrong: string[] = [];
  crashes = 0;
  failures = 0;
  readonly #path = quickStore();
  readonly #random: () => number;
  readonly #machine: Hub;
  #store!: Store;
  #durable!: DurableActor<Hub>;
  #ids = 0;

  constructor(random: () => number) {
    this.#random = random;
    this.#machine = hubMachine({
      mark: (marker, work) =>
        void this.#store.rows.run('insert into marks values (?, ?, ?)', marker, work, this.#store.rows.turn),
      trace: (line) => this.#traced(line.split(' ')[0] as string),
      newId: () => `marker${++this.#ids}`,
      now: () => this.clock.now(),
    });
  }

  get context(): HubContext {
    return this.#durable.getSnapshot().context;
  }

  /** An opening whose own commit fails is repeated, as a host would. */
  async open(): Promise<void> {
    for (let tries = 0; ; tries++) {
      const store = Store.open(this.#path, { clock: this.clock, durability: 'process-crash' });
      try {
        this.#store = store;
        store.declare([marksTable]);
        this.#durable = await createDurableActor(this.#machine, { store });
        return;
      } catch (error) {
        store.drop(error as PerdureError);
        this.failures += 1;
        if (tries === REPEATS) throw error;
        await this.clock.advance(500);
      }
    }
  }

  /** Whatever is pending is lost; the process is away for a while. */
  async crash(awayMs: number): Promise<void> {
    this.crashes += 1;
    crash(this.#durable);
    await this.clock.advance(awayMs);
    await this.open();
    await this.clock.advance(0);
  }

  /** Sends until it is acknowledged, under one id. */
  async send(event: ClientEvent): Promise<void> {
    const id = `${event.client}:${event.n}`;
    for (let tries = 0; ; tries++) {
      const sent = this.#durable.send(event, { id });
      sent.catch(() => {});
      if (this.#random() < 0.04) await this.crash(this.#random() < 0.3 ? Math.floor(this.#random() * 600_000) : 0);
      try {
        await sent;
        break;
      } catch (error) {
        this.failures += 1;
        if (tries === REPEATS) throw error;
        await this.reopened();
      }
    }
    const { last } = this.context;
    if ((last[event.client] ?? 0) !== event.n) this.wrong.push(`${id} was acknowledged and is not there`);
  }

  /** A store that failed opens itself again, in true time: the disk does not know of ours. */
  async reopened(): Promise<void> {
    if (this.#store.isOpen) return;
    const heard = new Promise<void>((resolve) => this.#durable.on('reopened', () => resolve()));
    await heard;
    await this.clock.advance(0);
  }

  /** Alarms that should have rung. */
  async expectNoneLate(): Promise<void> {
    // The commit of those that rang when it was open again may fail, too.
    do {
      await this.reopened();
      this.#store.flush();
    } while (!this.#store.isOpen);
    const now = this.clock.now();
    for (const [name, { due }] of this.context.alarms)
      if (due < now) this.wrong.push(`${name} is ${now - due} ms late`);
  }

  async close(): Promise<void> {
    await this.#durable.close();
    this.#store.close();
  }

  /** Work that begins was asked for by a committed turn. */
  #traced(marker: string): void {
    const found = this.#store.rows.get('select 1 from marks where marker = ?', marker);
    if (found === undefined) this.wrong.push(`${marker} ran for a turn that never was`);
  }
}

/** Lets commits fail now and then, after the fact or before it: what is on the disk is unknown, as after a failed fsync. */
function failCommits(random: () => number): () => void {
  const { prepare } = Database.prototype;
  let isOver = false;
  const fail = (): never => {
    throw new Database.SqliteError('disk I/O error', 'SQLITE_IOERR_FSYNC');
  };
  Object.assign(Database.prototype, {
    prepare(this: Database.Database, sql: string) {
      const statement = prepare.call(this, sql);
      if (sql !== 'commit') return statement;
      const run = statement.run.bind(statement) as () => Database.RunResult;
      const disturbed = () => {
        const dice = isOver ? 1 : random();
        if (dice < 0.005) fail();
        const result = run();
        return dice < 0.01 ? fail() : result;
      };
      return Object.defineProperty(statement, 'run', { value: disturbed });
    },
  });
  return () => {
    isOver = true;
    Object.assign(Database.prototype, { prepare });
  };
}

function heapUsed(): number {
  collectGarbage();
  return process.memoryUsage().heapUsed;
}

async function settled(): Promise<void> {
  // Work takes a few true milliseconds.
  await new Promise((resolve) => setTimeout(resolve, 6));
}

async function soak(random: () => number): Promise<Soak> {
  const soaked = new Soak(random);
  await soaked.open();
  const scripts = clientsOf(workload).map((client) => scriptOf(workload, client));
  const events = scripts.reduce((sum, script) => sum + script.length, 0);
  const stepMs = EIGHT_HOURS_MS / events;
  let heap = 0;
  for (let sent = 0; sent < events; sent++) {
    const left = scripts.filter((script) => script.length > 0);
    const script = left[Math.floor(random() * left.length)] as ClientEvent[];
    await soaked.send(script.shift() as ClientEvent);
    await soaked.clock.advance(Math.floor(random() * 2 * stepMs));
    await soaked.expectNoneLate();
    if (sent === Math.floor(events / 4)) heap = heapUsed();
  }
  expect(heapUsed() - heap, 'the heap grew').toBeLessThan(HEAP_GROWTH);
  for (let hours = 0; !isQuiet(soaked.context) && hours < 3; hours++) {
    await settled();
    await soaked.clock.advance(3_600_000);
  }
  return soaked;
}

function expectWhole({ context, wrong }: Soak): void {
  const sent = clientsOf(workload).flatMap((client) => scriptOf(workload, client));
  const count = (matches: (event: ClientEvent) => boolean) => sent.filter(matches).length;
  expect({ wrong, inTheHub: context.wrong }, `PERDURE_SEED=${seed}`).toEqual({ wrong: [], inTheHub: [] });
  expect(isQuiet(context), 'alarms, works or kids wait for ever').toBe(true);
  expect(context).toMatchObject({
    done: count(({ type }) => type === 'work.start'),
    pokes: count(({ type }) => type === 'kid.poke'),
    aged: count((event) => event.type === 'kid.spawn' && event.ages),
    cancelled: count(({ type }) => type === 'alarm.cancel'),
  });
}

test(
  `eight hours with crashes and outages: nothing lost, nothing twice, timers right, the heap flat (PERDURE_SEED=${seed})`,
  { timeout: 60_000 },
  async () => {
    const soaked = await soak(randomOf(seed));
    expectWhole(soaked);
    expect(soaked.crashes).toBeGreaterThan(50);
    await soaked.close();
  },
);

test(
  `the same while commits fail and the store reopens by itself (PERDURE_SEED=${seed})`,
  { timeout: 60_000 },
  async () => {
    const mend = failCommits(randomOf(seed + 1));
    onTestFinished(mend);
    const soaked = await soak(randomOf(seed));
    expectWhole(soaked);
    expect(soaked.failures).toBeGreaterThan(20);
    // A store that cannot be written when it is closed says so.
    mend();
    await soaked.close();
  },
);
