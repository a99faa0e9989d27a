/** How busy this process has been since it was last begun anew: its processors, and its event loop. Asking changes nothing. */
import { monitorEventLoopDelay, performance, type IntervalHistogram } from 'node:perf_hooks';

/** The delay of the event loop is looked at so often, ms; what Node measures includes it. */
const RESOLUTION_MS = 20;

export class ProcessUse {
  readonly #delays: IntervalHistogram = monitorEventLoopDelay({ resolution: RESOLUTION_MS });
  #loop = performance.eventLoopUtilization();
  #cpu = process.cpuUsage();
  #begunAt = performance.now();

  constructor() {
    this.#delays.enable();
  }

  /** The processors that it kept busy, on average; undefined when no time has passed. */
  cpus(): number | undefined {
    const { user, system } = process.cpuUsage(this.#cpu);
    const ms = performance.now() - this.#begunAt;
    return ms > 0 ? (user + system) / 1_000 / ms : undefined;
  }

  /** How late the event loop was, the 99th percentile in ms; undefined when it was not looked at. */
  loopDelayMs(): number | undefined {
    const ms = this.#delays.percentile(99) / 1e6 - RESOLUTION_MS;
    return this.#delays.max > 0 ? Math.max(0, ms) : undefined;
  }

  /** The part of the time in which the event loop was busy. */
  loopShare(): number {
    return performance.eventLoopUtilization(this.#loop).utilization;
  }

  /** What is asked next is of the time from now on. */
  beginAnew(): void {
    this.#delays.reset();
    this.#loop = performance.eventLoopUtilization();
    this.#cpu = process.cpuUsage();
    this.#begunAt = performance.now();
  }

  close(): void {
    this.#delays.disable();
  }
}
