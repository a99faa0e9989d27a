import type { Overview } from '../../../views/overview.ts';
import { canCommand, give } from '../../command.ts';
import { clockText, countText, percentText, plural } from '../../format.ts';
import { stateText, workingIn } from '../../frame/state-text.ts';
import { iconOfTone, toneOf, type Tone } from '../../tone.ts';
import { Button } from '../../ui/button.tsx';
import { useNow } from '../../ui/clock.ts';
import { Icon } from '../../ui/icon.tsx';
import { Link } from '../../ui/link.tsx';
import { Sparkline } from '../../ui/sparkline.tsx';
import { failuresText } from '../budget/burn-figures.ts';

type Props = { readonly overview: Overview };

/** How it stands, in a sentence; the slots; the last hour; and the counts. */
export function Hero({ overview }: Props) {
  const now = useNow();
  const { word, tone, rest } = stateText(overview, now);
  return (
    <section class="panel hero" aria-label="State">
      <div class="hero-state">
        <span class={`hero-sign tone-${tone}`}>
          <Icon name={word === 'Idle' ? 'check' : iconOfTone(tone)} size={20} />
        </span>
        <div class="grow">
          <p class="hero-word">{word}</p>
          <p class="hero-rest">{rest}</p>
          <Reasons overview={overview} />
        </div>
        <Slots overview={overview} />
        <PauseButton state={overview.state} />
      </div>
      <Hour minutes={overview.minutes} />
      <Counts overview={overview} />
    </section>
  );
}

/** Why it is not well: the worst two. */
function Reasons({ overview }: Props) {
  const issues = overview.health?.issues ?? [];
  if (issues.length === 0) return null;
  return (
    <ul class="hero-why">
      {issues.slice(0, 2).map(({ subsystem, status, reason }) => (
        <li key={`${subsystem} ${reason}`} class={`tone-${toneOf(status)}`}>
          {reason}
        </li>
      ))}
      {issues.length > 2 ? <li class="faint">and {issues.length - 2} more</li> : null}
    </ul>
  );
}

const MOST_CELLS = 32;

/** The slots, each as a cell: busy, retrying, free. */
function Slots({ overview }: Props) {
  const { slots, counts } = overview;
  const working = workingIn(counts);
  const text = `${plural(slots, 'slot')}: ${working} at work, ${counts.backingOff} waiting for a retry`;
  if (slots > MOST_CELLS || slots === 0) return null;
  const kinds = Array.from({ length: slots }, (_, i) =>
    i < working ? 'running' : i < counts.running ? 'retrying' : 'free',
  );
  return (
    <div class="slots" role="img" aria-label={text} title={text}>
      {kinds.map((kind, i) => (
        <span key={i} class={`slot ${kind}`} />
      ))}
    </div>
  );
}

function PauseButton({ state }: { readonly state: string }) {
  if (!canCommand.value) return null;
  if (state.startsWith('paus')) {
    return (
      <Button icon="play" kind="primary" gives onClick={() => void give('resume')}>
        Resume
      </Button>
    );
  }
  if (state !== 'running') return null;
  return (
    <Button icon="pause" gives onClick={() => void give('pause')}>
      Pause
    </Button>
  );
}

/** What settled in each minute of the last hour. */
function Hour({ minutes }: { readonly minutes: Overview['minutes'] }) {
  const settled = minutes.reduce((sum, minute) => sum + minute.settled, 0);
  const failed = minutes.reduce((sum, minute) => sum + minute.failed, 0);
  if (settled === 0) return null;
  const most = Math.max(...minutes.map((minute) => minute.settled));
  return (
    <div class="hour">
      <div class="hour-head">
        <span>
          <b class="number">{countText(settled)}</b> settled in the last hour
        </span>
        {failed === 0 ? null : (
          <span
            class="hour-failed"
            title="As the error budget counts: what was degraded or recovered is a part of a failure"
          >
            <Icon name="cross" size={12} />
            {failuresText(failed)} ({percentText(failed / settled)})
          </span>
        )}
        <span class="grow" />
        <span class="faint">at most {countText(most)} a minute</span>
      </div>
      <Sparkline
        height={56}
        bars={minutes.map(({ at, settled: value, failed: bad }) => ({ at, value, bad }))}
        label={`Settled in each minute of the last hour: ${settled} in all, ${failuresText(failed)}, at most ${most} a minute`}
        title={(bar) =>
          `${clockText(bar.at).slice(0, 5)}: ${bar.value} settled${bar.bad ? `, ${failuresText(bar.bad)}` : ''}`
        }
      />
      <div class="hour-foot" aria-hidden>
        <span>60 min ago</span>
        <span>30 min</span>
        <span>now</span>
      </div>
    </div>
  );
}

interface Tile {
  readonly label: string;
  readonly value: number;
  readonly note?: string;
  readonly tone: Tone;
  readonly view: string;
  readonly params?: Readonly<Record<string, string>>;
}

/** A restore does not take it back, other than what stands beside it. */
const EVER = 'since the store began';

function Counts({ overview }: Props) {
  const { counts, outcomes } = overview;
  const well = outcomes.ok + outcomes.recovered;
  const tiles: readonly Tile[] = [
    { label: 'Running', value: workingIn(counts), tone: 'running', view: 'work', params: { state: 'running' } },
    { label: 'Waiting', value: counts.waiting, tone: 'waiting', view: 'work', params: { state: 'waiting' } },
    { label: 'Retrying', value: counts.backingOff, tone: 'retrying', view: 'work', params: { state: 'retrying' } },
    { label: 'Asking', value: counts.asking, tone: 'asking', view: 'approvals' },
    { label: 'Dead letters', value: counts.deadLetters, tone: 'failed', view: 'dead-letters' },
    { label: 'Went well', value: well, note: EVER, tone: 'ok', view: 'work', params: { kind: 'ok' } },
  ];
  return (
    <ul class="tiles">
      {tiles.map(({ label, value, note, tone, view, params = {} }) => (
        <li key={label}>
          <Link view={view} params={params} class={`tile tone-${tone} ${value === 0 ? 'none' : ''}`}>
            <span class="tile-value number">{countText(value)}</span>
            <span class="tile-label">
              <Icon name={iconOfTone(tone)} size={12} />
              {label}
            </span>
            {note === undefined ? null : <span class="tile-note">{note}</span>}
          </Link>
        </li>
      ))}
    </ul>
  );
}
