import { expect, test } from 'vitest';
import { StallMonitor } from '../../actors/stall-monitor.ts';

/** A clock whose time passes while nothing runs, as that of a process that is held up. */
class HeldClock {
  at = 0;
  due: { readonly at: number; readonly fn: () => void } | undefined;

  now = () => this.at;
  setTimeout = (fn: () => void, ms: number) => (this.due = { at: this.at + ms, fn });
  clearTimeout = () => (this.due = undefined);

  /** Time passes, and only then is anything that was due looked at. */
  hold(ms: number): void {
    this.at += ms;
    while (this.due !== undefined && this.due.at <= this.at) {
      const { fn } = this.due;
      this.due = undefined;
      fn();
    }
  }
}

function watched() {
  const clock = new HeldClock();
  const monitor = new StallMonitor(clock);
  const stalls: number[] = [];
  const stop = monitor.listen(({ ms }) => stalls.push(ms));
  return { clock, monitor, stalls, stop };
}

test('a stall is told once, and its time does not count as awake', () => {
  const { clock, monitor, stalls } = watched();
  monitor.enter();
  const before = monitor.awakeMs();
  for (let n = 0; n < 10; n += 1) clock.hold(50);
  expect([monitor.awakeMs() - before, stalls]).toEqual([500, []]);
  clock.hold(3_050);
  expect([monitor.awakeMs() - before, stalls]).toEqual([550, [3_000]]);
});

test('whoever asks before the timer fires is told of the stall already', () => {
  const { clock, monitor, stalls } = watched();
  monitor.enter();
  const before = monitor.awakeMs();
  clock.at += 1_050;
  expect([monitor.awakeMs() - before, stalls]).toEqual([50, [1_000]]);
  clock.hold(0);
  expect(stalls).toEqual([1_000]);
});

test('time in which nobody works is no stall, and no timer runs in it', () => {
  const { clock, monitor, stalls, stop } = watched();
  monitor.enter();
  monitor.leave();
  clock.hold(50);
  expect(clock.due).toBeUndefined();
  clock.hold(10_000);
  monitor.enter();
  expect(stalls).toEqual([]);
  stop();
  clock.hold(1_050);
  expect(stalls).toEqual([]);
});
