/** From where it is that we see something now, and of when it is. */
import { computed, type ReadonlySignal } from '@preact/signals';
import { capabilities, feed, hello, records, recordsVersion, registry } from '../connection.ts';
import { overviewNow } from '../overview-now.ts';
import { lastChangeAt, standingText, type StandingText } from './standing-text.ts';

export const standingNow: ReadonlySignal<StandingText> = computed(() =>
  standingText({
    kind: feed.value?.kind ?? 'server',
    isLive: capabilities.value.live,
    isStore: hello.value?.store != null,
    isOwned: overviewNow.value?.isOwned,
  }),
);

/** When what is shown was as it is shown; null while things go on, and where it is not known. */
export const asOf: ReadonlySignal<number | null> = computed(() => {
  if (!standingNow.value.isPast) return null;
  void recordsVersion.value;
  return lastChangeAt(registry.value.values(), records.items.at(-1));
});
