/** Which lanes are open to a claim, and what is left of the limits of their queues and components while it goes on. */
import { noteProbe } from './components-out.ts';
import type { OutRow } from './lane-tables.ts';
import type { QueueStep } from './lanes.ts';
import { PLAIN_LANE } from './lanes.ts';
import { DEFAULT_QUEUE, type Limits } from './queue-options.ts';
import { nextStart, noteStart } from './rates.ts';

export interface OpenLane {
  readonly id: number;
  readonly queue: string;
  readonly component: string | null;
  /** Whether its component has said that it is out of use. */
  readonly isOut: number;
  /** What waits in it rests until then, ms since 1970; null: until the component is back. */
  readonly until: OutRow['until'];
  readonly notedAt: OutRow['noted_at'];
  /** The one that was let through to probe it has ended. */
  readonly isProbed: number;
}

type Gate = readonly [name: string, limits: Limits];

/** The lanes in which something may wait, but those of queues that are paused. */
const LANES = `
  select ${PLAIN_LANE} as id, '${DEFAULT_QUEUE}' as queue, null as component, 0 as isOut, null as until, null as notedAt,
    0 as isProbed
  where not exists (select 1 from paused_queues where queue = '${DEFAULT_QUEUE}')
  union all
  select l.id, l.queue, l.component, coalesce(o.is_told, 0), o.until, o.noted_at,
    o.probe is not null and not exists
      (select 1 from actions a where a.id = o.probe and a.state = 'running' and a.retry_at is null)
  from lanes l left join components_out o on o.component = l.component and l.waits = 1
  where l.waiting > 0 and not exists (select 1 from paused_queues p where p.queue = l.queue)`;

export class LaneRoom {
  readonly #step: QueueStep;
  #running: Map<string, number> | undefined;
  /** Components that one was let through to, in this claim. */
  readonly #probed = new Set<string>();

  constructor(step: QueueStep) {
    this.#step = step;
  }

  /** Those in which something waits, as far as they may run. */
  lanes(): OpenLane[] {
    return this.#step.rows.all<OpenLane>(LANES).filter((lane) => this.isOpen(lane));
  }

  isOpen(lane: OpenLane): boolean {
    return this.#isReachable(lane) && this.#gates(lane).every((gate) => this.#hasRoom(gate));
  }

  /** One of the lane has got a slot. */
  take(lane: OpenLane, id: string): void {
    if (lane.isOut === 1) this.#probe(lane.component as string, id);
    for (const [name, { concurrency, rate }] of this.#gates(lane)) {
      if (concurrency !== null) this.#counts().set(name, (this.#counts().get(name) ?? 0) + 1);
      if (rate !== null) noteStart(this.#step, name, rate);
    }
  }

  /** Of what waits for a component that is out of use one at a time is let through: it is the probe. */
  #isReachable({ component, isOut, until, notedAt, isProbed }: OpenLane): boolean {
    if (this.#probed.has(component as string)) return false;
    if (isProbed === 1 || (isOut === 0 && until === null)) return true;
    if (until === null) return false;
    const at = this.#step.now();
    // What was noted later than now was noted before the clock was set back.
    const isOver = until <= at || (notedAt ?? 0) > at;
    if (!isOver) this.#step.wakeBy(until);
    return isOver;
  }

  #probe(component: string, id: string): void {
    this.#probed.add(component);
    this.#step.wakeBy(noteProbe(this.#step.rows, component, id, this.#step.now()));
  }

  #gates({ queue, component }: OpenLane): Gate[] {
    const { queues, components } = this.#step.limits;
    const gates: (readonly [string, Limits | undefined])[] = [[`queue ${queue}`, queues.get(queue)]];
    if (component !== null) gates.push([`component ${component}`, components.get(component)]);
    return gates.filter((gate): gate is Gate => gate[1] !== undefined);
  }

  #hasRoom([name, { concurrency, rate }]: Gate): boolean {
    if (concurrency !== null && (this.#counts().get(name) ?? 0) >= concurrency) return false;
    const openAt = rate === null ? null : nextStart(this.#step, name, rate);
    if (openAt !== null) this.#step.wakeBy(openAt);
    return openAt === null;
  }

  #counts(): Map<string, number> {
    return (this.#running ??= this.#count());
  }

  /** How many run: there are never more of them than slots. */
  #count(): Map<string, number> {
    const counts = new Map<string, number>();
    const running = this.#step.rows.all<{ queue: string; component: string | null; n: number }>(
      `select coalesce(l.queue, '${DEFAULT_QUEUE}') as queue, l.component, count(*) as n
       from actions a left join lanes l on l.id = a.lane where a.state = 'running' group by 1, 2`,
    );
    const add = (name: string, n: number) => counts.set(name, (counts.get(name) ?? 0) + n);
    for (const { queue, component, n } of running) {
      add(`queue ${queue}`, n);
      if (component !== null) add(`component ${component}`, n);
    }
    return counts;
  }
}
