/** What an actor waits for. */
import type { ActorDetail } from '../../../protocol.ts';
import { durationText } from '../../format.ts';
import { useNow } from '../../ui/clock.ts';
import { Empty } from '../../ui/empty.tsx';
import { Meter } from '../../ui/meter.tsx';
import { Countdown, Time } from '../../ui/time.tsx';

export function TimersTab({ detail }: { readonly detail: ActorDetail }) {
  const now = useNow();
  if (detail.timers.length === 0) {
    return (
      <Empty icon="clock" title="No timers">
        Delays of its states, and events sent with a delay, count down here.
      </Empty>
    );
  }
  return (
    <ul class="timers">
      {detail.timers.map((timer) => {
        const gone = timer.delayMs <= 0 ? 1 : Math.min(1, Math.max(0, 1 - (timer.due - now) / timer.delayMs));
        return (
          <li key={`${timer.event} ${timer.due}`} class="timer">
            <span class="mono cut" title={timer.event}>
              {timer.event}
            </span>
            <Countdown to={timer.due} />
            <Meter
              value={gone}
              max={1}
              label="Gone of the delay"
              text={`${Math.round(gone * 100)} % of ${durationText(timer.delayMs)}`}
            />
            <span class="faint">
              of {durationText(timer.delayMs)}, due <Time at={timer.due} as="timestamp" />
            </span>
          </li>
        );
      })}
    </ul>
  );
}
