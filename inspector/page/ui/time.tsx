import { agoText, clockText, durationText, tickText, timestampText } from '../format.ts';
import { useNow } from './clock.ts';

export interface TimeProps {
  /** ms since 1970; null shows a dash. */
  readonly at: number | null;
  /** Default: ago. */
  readonly as?: 'ago' | 'clock' | 'timestamp';
}

/** When something was, or will be; the exact time on hover. */
export function Time({ at, as = 'ago' }: TimeProps) {
  if (at === null) return <span class="faint">–</span>;
  if (as === 'ago') return <Ago at={at} />;
  return <time title={timestampText(at)}>{as === 'clock' ? clockText(at) : timestampText(at)}</time>;
}

function Ago({ at }: { readonly at: number }) {
  const now = useNow();
  return <time title={timestampText(at)}>{agoText(at, now)}</time>;
}

/** How long something took. */
export function Duration({ ms }: { readonly ms: number | null }) {
  if (ms === null) return <span class="faint">–</span>;
  return <span class="number">{durationText(ms)}</span>;
}

/** How long something has gone on, ticking. */
export function Elapsed({ since }: { readonly since: number }) {
  const now = useNow();
  return (
    <time class="number" title={`since ${timestampText(since)}`}>
      {tickText(now - since)}
    </time>
  );
}

/** How long until something, ticking: `in 4 s`. */
export function Countdown({ to }: { readonly to: number }) {
  const now = useNow();
  return (
    <time class="number" title={timestampText(to)}>
      {to - now <= 0 ? 'now' : `in ${tickText(to - now + 999)}`}
    </time>
  );
}
