import { useRef, useState } from 'preact/hooks';
import type { KeptTurn } from '../../../views/kept-turns.ts';
import { countText } from '../../format.ts';
import { useNow } from '../../ui/clock.ts';
import { IconButton } from '../../ui/button.tsx';
import { Icon } from '../../ui/icon.tsx';
import { reasonWords } from './reasons.ts';
import { historyText, isSurelyKept, turnTimeText } from './turns.ts';
import {
  marksOf,
  movedTo,
  placeOf,
  scaleOf,
  sliderMove,
  stopAt,
  turnTicks,
  type Kept,
  type Mark,
  type SliderMove,
} from './turn-scale.ts';

export interface TimeSliderProps {
  readonly kept: Kept;
  readonly turn: number;
  /** What it is compared with; null for the present. */
  readonly other: number | null;
  readonly isComparing: boolean;
  /** The kept turns next to the one that is looked at, and to the one that it is compared with; undefined until they are known. */
  readonly beside: Readonly<Record<Thumb, Pick<KeptTurn, 'previous' | 'next'> | undefined>>;
  readonly onTurn: (turn: number) => void;
  readonly onOther: (turn: number | null) => void;
}

type Thumb = 'turn' | 'other';
type Held = { readonly thumb: Thumb; readonly turn: number };

/** While a thumb is dragged, what is behind it is fetched only so often. */
const REST_MS = 160;

/** All turns that are kept, as a line through time: drag, click, or use the keys. */
export function TimeSlider(props: TimeSliderProps) {
  const { kept, turn: chosen, other: chosenOther, isComparing, beside, onTurn, onOther } = props;
  const track = useRef<HTMLDivElement>(null);
  const timer = useRef<ReturnType<typeof setTimeout> | undefined>(undefined);
  const [held, setHeld] = useState<Held | null>(null);
  const [hover, setHover] = useState<number | null>(null);
  const now = useNow();
  const scale = scaleOf(kept);
  const turn = held?.thumb === 'turn' ? held.turn : chosen;
  const other = held?.thumb === 'other' ? held.turn : (chosenOther ?? kept.turn);
  const place = (at: number) => `${placeOf(at, scale) * 100}%`;

  const commit = ({ thumb, turn: to }: Held): void => {
    if (thumb === 'turn') onTurn(to);
    else onOther(to === kept.turn ? null : to);
  };
  const hold = (next: Held, atOnce = false): void => {
    setHeld(atOnce ? null : next);
    clearTimeout(timer.current);
    if (atOnce) commit(next);
    else timer.current = setTimeout(() => commit(next), REST_MS);
  };
  const shareAt = (clientX: number): number => {
    const box = track.current?.getBoundingClientRect();
    return box === undefined || box.width === 0 ? 1 : Math.min(1, Math.max(0, (clientX - box.left) / box.width));
  };
  const onPointerDown = (event: PointerEvent): void => {
    if (event.button !== 0) return;
    const share = shareAt(event.clientX);
    const isOther = isComparing && Math.abs(share - placeOf(other, scale)) < Math.abs(share - placeOf(turn, scale));
    const thumb = isOther ? 'other' : 'turn';
    const box = event.currentTarget as HTMLElement;
    box.setPointerCapture(event.pointerId);
    box.querySelector<HTMLElement>(`[data-thumb=${thumb}]`)?.focus();
    event.preventDefault();
    let last: Held = { thumb, turn: stopAt(share, kept, scale) };
    hold(last);
    const move = ({ clientX }: PointerEvent): void => {
      last = { thumb, turn: stopAt(shareAt(clientX), kept, scale) };
      hold(last);
    };
    const end = (): void => {
      box.removeEventListener('pointermove', move);
      box.removeEventListener('pointerup', end);
      box.removeEventListener('pointercancel', end);
      hold(last, true);
    };
    box.addEventListener('pointermove', move);
    box.addEventListener('pointerup', end);
    box.addEventListener('pointercancel', end);
  };
  const step = (thumb: Thumb, move: SliderMove): void => {
    hold({ thumb, turn: movedTo(move, thumb === 'turn' ? turn : other, kept, beside[thumb]) }, true);
  };
  const onKeyDown = (thumb: Thumb) => (event: KeyboardEvent) => {
    const move = event.ctrlKey || event.metaKey || event.altKey ? undefined : sliderMove(event.key, event.shiftKey);
    if (move === undefined) return;
    event.preventDefault();
    step(thumb, move);
  };
  const between = [placeOf(turn, scale), placeOf(other, scale)].sort((a, b) => a - b) as [number, number];
  const thumbProps = (thumb: Thumb, at: number) => ({
    role: 'slider' as const,
    tabIndex: 0,
    'data-thumb': thumb,
    'aria-valuemin': scale.from,
    'aria-valuemax': scale.to,
    'aria-valuenow': at,
    'aria-valuetext': sayTurn(kept, at, now),
    style: { left: place(at) },
    onKeyDown: onKeyDown(thumb),
  });
  return (
    <div class="cp-time">
      <IconButton icon="left" label="Checkpoint before" small onClick={() => step('turn', 'previous')} />
      <div class="cp-slider" onPointerDown={onPointerDown}>
        <div
          ref={track}
          class="cp-track"
          onPointerMove={({ clientX }) => setHover(stopAt(shareAt(clientX), kept, scale))}
          onPointerLeave={() => setHover(null)}
        >
          <div class="cp-line" />
          {kept.history === null ? null : <History kept={kept} place={place} />}
          {isComparing ? (
            <div
              class="cp-between"
              style={{ left: `${between[0] * 100}%`, width: `${(between[1] - between[0]) * 100}%` }}
            />
          ) : null}
          {marksOf(kept.checkpoints, scale).map((mark) => (
            <MarkSign key={mark.checkpoint.turn} mark={mark} isChosen={mark.checkpoint.turn === turn} />
          ))}
          <span class="cp-now" style={{ left: place(kept.turn) }} title="The present" />
          <div
            class={`cp-thumb ${held === null ? '' : 'held'}`}
            aria-label="The turn that is looked at"
            {...thumbProps('turn', turn)}
          />
          {isComparing ? (
            <div
              class="cp-thumb other"
              aria-label="The turn that it is compared with"
              {...thumbProps('other', other)}
            />
          ) : null}
          {hover === null && held === null ? null : (
            <Bubble
              kept={kept}
              turn={held?.turn ?? hover ?? turn}
              left={placeOf(held?.turn ?? hover ?? turn, scale)}
              now={now}
            />
          )}
        </div>
        <div class="cp-ticks" aria-hidden>
          {turnTicks(scale).map((tick) => (
            <span key={tick} class="cp-tick" style={{ left: place(tick) }}>
              {countText(tick)}
            </span>
          ))}
        </div>
      </div>
      <IconButton icon="right" label="Checkpoint after" small onClick={() => step('turn', 'next')} />
    </div>
  );
}

function sayTurn(kept: Kept, turn: number, now: number): string {
  const checkpoint = kept.checkpoints.find((one) => one.turn === turn);
  const what = turn === kept.turn ? 'the present, ' : '';
  const named = checkpoint === undefined ? '' : `, ${checkpoint.label ?? reasonWords(checkpoint.reason).title}`;
  return `${what}turn ${turn}${named}, ${turnTimeText(kept, turn, now)}`;
}

function History({ kept, place }: { readonly kept: Kept; readonly place: (turn: number) => string }) {
  const { history } = kept;
  if (history === null) return null;
  const title = `The history keeps ${historyText(history)}`;
  return (
    <div
      class="cp-history"
      title={title}
      style={{ left: place(history.from), width: `calc(${place(history.to)} - ${place(history.from)})` }}
    />
  );
}

function MarkSign({ mark, isChosen }: { readonly mark: Mark; readonly isChosen: boolean }) {
  const { checkpoint, isPinned, count, place } = mark;
  const tall = checkpoint.label !== null || isPinned;
  return (
    <span
      class={`cp-mark reason-${reasonWords(checkpoint.reason).id} ${tall ? 'tall' : ''} ${isChosen ? 'chosen' : ''} ${count > 3 ? 'many' : ''}`}
      style={{ left: `${place * 100}%` }}
    >
      {isPinned ? <Icon name="pin" size={10} /> : null}
    </span>
  );
}

interface BubbleProps {
  readonly kept: Kept;
  readonly turn: number;
  readonly left: number;
  readonly now: number;
}

/** What lies under the pointer. */
function Bubble({ kept, turn, left, now }: BubbleProps) {
  const checkpoint = kept.checkpoints.find((one) => one.turn === turn);
  return (
    <div class="cp-bubble" style={{ left: `${left * 100}%`, transform: `translateX(${-8 - left * 84}%)` }} aria-hidden>
      <strong>
        {turn === kept.turn ? 'The present' : `${isSurelyKept(kept, turn) ? 'Turn' : 'About turn'} ${countText(turn)}`}
      </strong>
      <span>{turnTimeText(kept, turn, now)}</span>
      {checkpoint === undefined ? null : (
        <span class="cp-bubble-name">
          <Icon name={reasonWords(checkpoint.reason).icon} size={12} />
          {checkpoint.label ?? reasonWords(checkpoint.reason).title}
        </span>
      )}
    </div>
  );
}
