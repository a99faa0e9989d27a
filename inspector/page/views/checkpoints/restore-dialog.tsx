import { useState } from 'preact/hooks';
import type { CommandAnswer } from '../../../protocol.ts';
import type { KeptTurn } from '../../../views/kept-turns.ts';
import type { Comparison } from '../../../views/past.ts';
import { give } from '../../command.ts';
import { agoText, countText, plural } from '../../format.ts';
import { useView } from '../../use-view.ts';
import { Button } from '../../ui/button.tsx';
import { Dialog } from '../../ui/dialog.tsx';
import { Failure } from '../../ui/empty.tsx';
import { Icon } from '../../ui/icon.tsx';
import { Spinner } from '../../ui/spinner.tsx';
import { comparisonText, readComparison } from './comparison.ts';
import type { Kept } from './turn-scale.ts';
import { OF_NOW, turnText } from './turns.ts';

export interface RestoreDialogProps {
  readonly kept: Kept;
  readonly turn: number;
  readonly onClose: () => void;
  readonly onRestored: () => void;
}

/** Goes back to a turn, after it was said what that undoes, and how it is taken back. */
export function RestoreDialog({ kept, turn, onClose, onRestored }: RestoreDialogProps) {
  const { data, error } = useView<Comparison>('compare', { a: turn }, OF_NOW);
  const [force, setForce] = useState(false);
  const [isBusy, setBusy] = useState(false);
  const [answer, setAnswer] = useState<CommandAnswer | null>(null);
  const now = Date.now();
  const stood = useView<KeptTurn>('kept-turn', { turn }, OF_NOW).data;
  const since = stood?.since ?? null;

  const restore = async (): Promise<void> => {
    setBusy(true);
    const given = await give('restore', { id: String(turn), force }, { confirm: false });
    setBusy(false);
    if (given.state === 'refused') return setAnswer(given);
    onRestored();
    onClose();
  };
  return (
    <Dialog
      title={`Go back to ${turnText(kept, turn)}?`}
      size="medium"
      onClose={onClose}
      actions={
        <>
          <Button onClick={onClose}>Cancel</Button>
          <Button kind="danger" icon="history" busy={isBusy} onClick={() => void restore()}>
            Go back
          </Button>
        </>
      }
    >
      {answer === null ? null : <Failure code={answer.code ?? 'REFUSED'} message={answer.message} />}
      <ul class="cp-words">
        <li>
          <Icon name="history" />
          <div>
            <strong>Everything becomes as it was{stood === undefined ? '' : ` ${agoText(stood.at, now)}`}.</strong>{' '}
            {since === null ? 'What has changed since' : `What the ${plural(since, 'turn')} since have changed`} is
            undone: actors, timers, the queue, plans, approvals and the budget.
            {data === undefined ? (
              error === undefined ? (
                <Spinner label="Counting what that is" />
              ) : null
            ) : (
              <p class="cp-lost">{comparisonText(readComparison(data))}.</p>
            )}
          </div>
        </li>
        <li>
          <Icon name="bolt" />
          <div>
            <strong>What was done outside stays done.</strong> Mails that were sent and files that were written are
            there all the same. What was under way then asks before it begins again.
          </div>
        </li>
        <li>
          <Icon name="queue" />
          <div>
            <strong>What was submitted since is gone,</strong> and whoever waits for it is told so. What was learned
            stays: histories, estimates, memos.
          </div>
        </li>
        <li class="undo">
          <Icon name="retry" />
          <div>
            <strong>It can be undone.</strong> The present is kept as a checkpoint “before a restore”, the newest in
            this list: go back to that.
          </div>
        </li>
      </ul>
      <label class="cp-force">
        <input type="checkbox" checked={force} onChange={({ currentTarget }) => setForce(currentTarget.checked)} />
        <span>
          <strong>Also while actions run.</strong> They are interrupted; without this it is refused while any is under
          way.
        </span>
      </label>
      <p class="cp-note">
        To try something from there without losing the present, fork it instead: turn {countText(turn)} goes on in a
        store of its own.
      </p>
    </Dialog>
  );
}
