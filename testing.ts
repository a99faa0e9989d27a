/** What a test of a durable machine needs: a crash on demand, and a clock that is moved by hand. */
export { crash } from './persistence/crash.ts';
export { SimulatedClock } from './persistence/simulated-clock.ts';
