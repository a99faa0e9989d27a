import { countText, plural } from '../../format.ts';
import { param } from '../../location.ts';
import { Count } from '../../ui/badge.tsx';
import { Empty } from '../../ui/empty.tsx';
import { Icon } from '../../ui/icon.tsx';
import { Search } from '../../ui/search.tsx';
import { Time } from '../../ui/time.tsx';
import { VirtualList } from '../../ui/virtual-list.tsx';
import { reasonCounts, reasonWords } from './reasons.ts';
import type { Kept } from './turn-scale.ts';
import { listed, workText } from './turns.ts';

type Checkpoint = Kept['checkpoints'][number];

export interface CheckpointListProps {
  readonly kept: Kept;
  readonly turn: number;
  readonly onTurn: (turn: number) => void;
  readonly onCompare: (turn: number) => void;
}

const text = param('q');
const reason = param('reason');
const pinned = param('pinned');

/** Every checkpoint, the newest first, with filters. */
export function CheckpointList({ kept, turn, onTurn, onCompare }: CheckpointListProps) {
  const pinnedOnly = pinned.value === '1';
  const found = listed(kept.checkpoints, { text: text.value, reason: reason.value, pinnedOnly });
  return (
    <section class="cp-list" aria-label="Checkpoints">
      <div class="cp-filters">
        <Search
          value={text.value}
          onInput={(next) => (text.value = next)}
          label="Search checkpoints"
          placeholder="Label, turn, what ran"
        />
        <div class="cp-chips" role="group" aria-label="Only those made for">
          {reasonCounts(kept.checkpoints).map(({ reason: one, count }) => (
            <Chip
              key={one}
              checkpoints={count}
              reason={one}
              isOn={reason.value === one}
              onToggle={() => (reason.value = reason.value === one ? '' : one)}
            />
          ))}
          <button
            type="button"
            class="cp-chip"
            aria-pressed={pinnedOnly}
            onClick={() => (pinned.value = pinnedOnly ? '' : '1')}
          >
            <Icon name="pin" size={12} />
            Pinned
          </button>
        </div>
      </div>
      <VirtualList
        items={found}
        rowHeight={52}
        keyOf={({ turn: key }) => key}
        label={plural(found.length, 'checkpoint')}
        selected={turn}
        onSelect={(one) => onTurn(one.turn)}
        onOpen={(one) => onCompare(one.turn)}
        empty={<Empty small icon="filter" title="No checkpoint is like this" />}
        row={(one) => <Row checkpoint={one} />}
      />
    </section>
  );
}

interface ChipProps {
  readonly reason: string;
  readonly checkpoints: number;
  readonly isOn: boolean;
  readonly onToggle: () => void;
}

function Chip({ reason: one, checkpoints, isOn, onToggle }: ChipProps) {
  const { id, title, help, icon } = reasonWords(one);
  return (
    <button type="button" class={`cp-chip reason-${id}`} aria-pressed={isOn} title={help} onClick={onToggle}>
      <Icon name={icon} size={12} />
      {title}
      <Count value={checkpoints} />
    </button>
  );
}

function Row({ checkpoint }: { readonly checkpoint: Checkpoint }) {
  const { id, title, icon } = reasonWords(checkpoint.reason);
  const work = workText(checkpoint);
  return (
    <div class={`cp-row reason-${id}`}>
      <span class="cp-row-sign" title={title}>
        <Icon name={icon} size={14} />
      </span>
      <div class="cp-row-text">
        <div class="cp-row-first">
          <span class={checkpoint.label === null ? 'cp-row-title plain' : 'cp-row-title'}>
            {checkpoint.label ?? (id === 'interval' ? <Time at={checkpoint.at} as="clock" /> : title)}
          </span>
          {checkpoint.isPinned ? <Icon name="pin" size={12} label="pinned" /> : null}
          <span class="cp-row-turn">{countText(checkpoint.turn)}</span>
        </div>
        <div class="cp-row-second">
          <span class="cp-row-work">{work === '' ? 'no action was running' : work}</span>
          <Time at={checkpoint.at} />
        </div>
      </div>
    </div>
  );
}
