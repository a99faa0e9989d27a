import { useState } from 'preact/hooks';
import { give } from '../../command.ts';
import { countText } from '../../format.ts';
import { param, setParams } from '../../location.ts';
import { Badge } from '../../ui/badge.tsx';
import { Button } from '../../ui/button.tsx';
import { Icon } from '../../ui/icon.tsx';
import { Tabs } from '../../ui/tabs.tsx';
import { Time } from '../../ui/time.tsx';
import { ActorsThen } from './actors-then.tsx';
import { Changes } from './changes.tsx';
import { ForkDialog } from './fork-dialog.tsx';
import { reasonWords } from './reasons.ts';
import { RestoreDialog } from './restore-dialog.tsx';
import type { Kept } from './turn-scale.ts';
import type { Chosen } from './turns.ts';
import { WorkThen } from './work-then.tsx';

export const tab = param('tab');

export interface ThenProps {
  readonly kept: Kept;
  readonly chosen: Chosen;
  /** When the turn was, where that is known. */
  readonly at: number | undefined;
}

/** A kept turn: what it is, what can be done with it, and what there was in it. */
export function Then({ kept, chosen, at }: ThenProps) {
  const { turn, checkpoint } = chosen;
  const [dialog, setDialog] = useState<{
    readonly kind: 'fork' | 'restore';
    readonly turn: number;
    readonly label: string | null;
  } | null>(null);
  // What is asked about stays what it was, whatever happens behind it.
  const open = (kind: 'fork' | 'restore'): void => setDialog({ kind, turn, label: checkpoint?.label ?? null });
  const isPresent = turn === kept.turn;
  const shown = tab.value === 'actors' || tab.value === 'changes' ? tab.value : 'work';
  return (
    <section class="cp-then" aria-label={`Turn ${turn}`}>
      <header class="cp-then-head">
        <div class="cp-then-title">
          <h2>{checkpoint?.label ?? (isPresent ? 'The present' : `Turn ${countText(turn)}`)}</h2>
          <p class="cp-then-facts">
            <Facts kept={kept} chosen={chosen} at={at} />
          </p>
        </div>
        <div class="cp-then-actions">
          {checkpoint === undefined ? null : <PinButton checkpoint={checkpoint} />}
          <Button
            kind="danger"
            icon="history"
            gives
            disabled={isPresent}
            title={isPresent ? 'This is the present.' : 'Everything goes back to this turn'}
            onClick={() => open('restore')}
          >
            Restore
          </Button>
          <Button
            kind="primary"
            icon="fork"
            gives
            title="A new store goes on from here; this one stays as it is"
            onClick={() => open('fork')}
          >
            Fork from here
          </Button>
        </div>
      </header>
      <Tabs
        label="What of this turn"
        tabs={[
          { id: 'work', title: 'Work', icon: 'queue' },
          { id: 'actors', title: 'Actors', icon: 'tree' },
          { id: 'changes', title: isPresent ? 'Changes' : 'Changes since', icon: 'history' },
        ]}
        selected={shown}
        onSelect={(id) => (tab.value = id === 'work' ? '' : id)}
      />
      <div class="cp-then-body" role="tabpanel" aria-label={shown}>
        {shown === 'work' ? <WorkThen turn={turn} /> : null}
        {shown === 'actors' ? <ActorsThen turn={turn} isPresent={isPresent} /> : null}
        {shown === 'changes' ? <Changes kept={kept} chosen={chosen} /> : null}
      </div>
      {dialog?.kind === 'fork' ? (
        <ForkDialog turn={dialog.turn} label={dialog.label} onClose={() => setDialog(null)} />
      ) : null}
      {dialog?.kind === 'restore' ? (
        <RestoreDialog
          kept={kept}
          turn={dialog.turn}
          onClose={() => setDialog(null)}
          onRestored={() => setParams({ turn: null, with: null }, { replace: false })}
        />
      ) : null}
    </section>
  );
}

function Facts({ kept, chosen: { turn, checkpoint }, at }: ThenProps) {
  if (checkpoint === undefined) {
    return (
      <>
        <span>{turn === kept.turn ? `turn ${countText(turn)}` : 'kept by the history'}</span>
        {at === undefined || turn === kept.turn ? null : <Time at={at} />}
      </>
    );
  }
  const { title, help, icon } = reasonWords(checkpoint.reason);
  return (
    <>
      <span>turn {countText(turn)}</span>
      <Badge icon={icon} title={help}>
        {title}
      </Badge>
      <Time at={checkpoint.at} />
      <Time at={checkpoint.at} as="clock" />
      {checkpoint.isPinned ? (
        <span class="cp-pinned" title="It is kept until it is let go">
          <Icon name="pin" size={12} /> pinned
        </span>
      ) : null}
    </>
  );
}

function PinButton({ checkpoint }: { readonly checkpoint: Kept['checkpoints'][number] }) {
  const [isBusy, setBusy] = useState(false);
  const { isPinned, id } = checkpoint;
  const change = async (): Promise<void> => {
    setBusy(true);
    await give(isPinned ? 'unpin' : 'pin', { id }, { confirm: false });
    setBusy(false);
  };
  return (
    <Button
      icon="pin"
      busy={isBusy}
      pressed={isPinned}
      gives
      title={isPinned ? 'Lets it go: it is removed when it is old enough' : 'Keeps it until it is let go'}
      onClick={() => void change()}
    >
      {isPinned ? 'Unpin' : 'Pin'}
    </Button>
  );
}
