/** The present, which ticks once a second for as long as somebody shows it. */
import { signal } from '@preact/signals';
import { useEffect } from 'preact/hooks';

/** ms since 1970. */
export const now = signal(Date.now());

let users = 0;
let timer: ReturnType<typeof setInterval> | undefined;

/** Draws what calls it again each second. */
export function useNow(): number {
  useEffect(() => {
    if (users++ === 0) {
      now.value = Date.now();
      timer = setInterval(() => {
        if (!document.hidden) now.value = Date.now();
      }, 1_000);
    }
    return () => {
      if (--users === 0) clearInterval(timer);
    };
  }, []);
  return now.value;
}
