/** How busy this process was since it was last asked: its processors, and its event loop. */
import { monitorEventLoopDelay, performance, type IntervalHistogram } from 'node:perf_hooks';

/** The delay of the event loop is looked at so often, ms; what Node measures includes it. */
const RESOLUTION_MS = 20;

export class ProcessUse {
  readonly #delays: IntervalHistogram = monitorEventLoopDelay({ resolution: RESOLUTION_MS });
  #loop = performance.eventLoopUtilization();
  #cpu = process.cpuUsage();
  #askedAt = performance.now();

  constructor() {
    this.#delays.enable();
  }

  /** The processors that it kept busy, on average; undefined when no time has passed. */
  cpus(): number | undefined {
    const { user, system } = process.cpuUsage(this.#cpu);
    const ms = performance.now() - this.#askedAt;
    this.#cpu = process.cpuUsage();
    this.#askedAt += ms;
    return ms > 0 ? (user + system) / 1_000 / ms : undefined;
  }

  /** How late the event loop was, the 99th percentile in ms; undefined when it was not looked at. */
  loopDelayMs(): number | undefined {
    const ms = this.#delays.percentile(99) / 1e6 - RESOLUTION_MS;
    const isKnown = this.#delays.max > 0;
    this.#delays.reset();
    return isKnown ? Math.max(0, ms) : undefined;
  }

  /** The part of the time in which the event loop was busy. */
  loopShare(): number {
    const last = this.#loop;
    this.#loop = performance.eventLoopUtilization();
    return performance.eventLoopUtilization(this.#loop, last).utilization;
  }

  close(): void {
    this.#delays.disable();
  }
}
