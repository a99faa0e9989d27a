import { signal } from '@preact/signals';
import { iconOfTone, type Tone } from '../tone.ts';
import { IconButton } from './button.tsx';
import { Icon } from './icon.tsx';

export interface ToastText {
  readonly tone: Tone;
  readonly title: string;
  readonly text?: string;
}

const SHOWN_MS = 6_000;
/** What went wrong is to be read. */
const SHOWN_FAILURE_MS = 20_000;
const MOST = 4;

const shown = signal<readonly (ToastText & { readonly id: number })[]>([]);
let last = 0;

/** Tells something in the corner, for a few seconds. */
export function toast(text: ToastText): void {
  const id = ++last;
  shown.value = [...shown.peek(), { ...text, id }].slice(-MOST);
  setTimeout(() => dismiss(id), text.tone === 'failed' ? SHOWN_FAILURE_MS : SHOWN_MS);
}

function dismiss(id: number): void {
  shown.value = shown.peek().filter((one) => one.id !== id);
}

/** Where toasts are shown. Drawn once. */
export function Toasts() {
  return (
    <div class="toasts" role="status" aria-live="polite">
      {shown.value.map(({ id, tone, title, text }) => (
        <div key={id} class={`toast tone-${tone}`}>
          <Icon name={iconOfTone(tone)} />
          <div class="toast-text">
            <p class="toast-title">{title}</p>
            {text === undefined || text === '' ? null : <p>{text}</p>}
          </div>
          <IconButton icon="cross" label="Dismiss" small onClick={() => dismiss(id)} />
        </div>
      ))}
    </div>
  );
}
