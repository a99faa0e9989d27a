import { useState } from 'preact/hooks';
import { give } from '../../command.ts';
import { Button } from '../../ui/button.tsx';
import { Dialog } from '../../ui/dialog.tsx';
import { labelProblem } from './turns.ts';

/** Names the present turn, so that it can be gone back to. */
export function TakeDialog({ onClose, onTaken }: { readonly onClose: () => void; readonly onTaken: () => void }) {
  const [label, setLabel] = useState('');
  const [pin, setPin] = useState(false);
  const [isBusy, setBusy] = useState(false);
  const problem = labelProblem(label);
  const take = async (): Promise<void> => {
    if (problem !== undefined) return;
    setBusy(true);
    const name = label.trim() === '' ? {} : { label: label.trim() };
    const answer = await give('checkpoint', { ...name, pin }, { confirm: false });
    setBusy(false);
    if (answer.state === 'refused') return;
    onTaken();
    onClose();
  };
  return (
    <Dialog
      title="Take a checkpoint"
      onClose={onClose}
      actions={
        <>
          <Button onClick={onClose}>Cancel</Button>
          <Button kind="primary" icon="plus" busy={isBusy} disabled={problem !== undefined} onClick={() => void take()}>
            Take it
          </Button>
        </>
      }
    >
      <div class="field">
        <label for="cp-label">Label</label>
        <input
          id="cp-label"
          type="text"
          value={label}
          placeholder="before the move"
          autofocus
          autocomplete="off"
          aria-invalid={problem !== undefined}
          aria-describedby="cp-label-help"
          onInput={(event) => setLabel(event.currentTarget.value)}
          onKeyDown={(event) => {
            if (event.key === 'Enter') void take();
          }}
        />
        <p id="cp-label-help" class={problem === undefined ? 'field-help' : 'field-problem'}>
          {problem ?? 'By which it is found again. It may have none.'}
        </p>
      </div>
      <label class="cp-force">
        <input type="checkbox" checked={pin} onChange={({ currentTarget }) => setPin(currentTarget.checked)} />
        <span>
          <strong>Pin it.</strong> It is kept until it is let go; others become fewer as they grow old.
        </span>
      </label>
    </Dialog>
  );
}
