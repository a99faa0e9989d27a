/** What a test of a durable machine needs: a check of its laws, faults on demand, and a clock that is moved by hand. */
export { crash } from './persistence/crash.ts';
export { SimulatedClock } from './persistence/simulated-clock.ts';
export {
  checkDurable,
  type CheckOptions,
  type CheckSummary,
  type EventSource,
  type EventSources,
} from './testing/check-durable.ts';
export { failStore, type FailOptions, type Failure, type StoreFault } from './testing/fail-store.ts';
