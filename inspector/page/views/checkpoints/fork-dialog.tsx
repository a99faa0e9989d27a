import { useState } from 'preact/hooks';
import type { CommandAnswer } from '../../../protocol.ts';
import type { PastWork } from '../../../views/past-work.ts';
import { give } from '../../command.ts';
import { hello } from '../../connection.ts';
import { countText, plural } from '../../format.ts';
import { useView } from '../../use-view.ts';
import { Button } from '../../ui/button.tsx';
import { Elapsed } from '../../ui/time.tsx';
import { Dialog } from '../../ui/dialog.tsx';
import { Failure } from '../../ui/empty.tsx';
import { Icon } from '../../ui/icon.tsx';
import { Spinner } from '../../ui/spinner.tsx';
import { CopyText } from './copy-text.tsx';
import { forkCommand, forkInputs, forkTarget, quoted, targetProblem } from './fork-edits.ts';
import { ForkInputList } from './fork-input-list.tsx';
import { OF_THEN } from './turns.ts';

export interface ForkDialogProps {
  readonly turn: number;
  readonly label: string | null;
  readonly onClose: () => void;
}

/** Makes a new store that goes on from a turn, with other inputs where that is wanted. */
export function ForkDialog({ turn, label, onClose }: ForkDialogProps) {
  const store = hello.value?.store?.path ?? null;
  const { data, error, reload } = useView<PastWork>('past-work', { turn }, OF_THEN);
  const [target, setTarget] = useState(() => forkTarget(store ?? 'store.db', turn, label));
  const [texts, setTexts] = useState<ReadonlyMap<string, string>>(new Map());
  const [since, setSince] = useState<number | null>(null);
  const [answer, setAnswer] = useState<CommandAnswer | null>(null);
  const items = data?.items ?? [];
  const { input, changed, invalid } = forkInputs(items, texts);
  const problem = targetProblem(target, store);
  const isReady = problem === undefined && invalid.length === 0 && since === null;

  const fork = async (): Promise<void> => {
    if (!isReady) return;
    setSince(Date.now());
    const params = { id: String(turn), to: target.trim(), ...(changed.length === 0 ? {} : { input }) };
    setAnswer(await give('fork', params, { confirm: false }));
    setSince(null);
  };
  if (answer !== null && answer.state !== 'refused') {
    return <Forked turn={turn} target={target.trim()} answer={answer} inputs={changed.length} onClose={onClose} />;
  }
  return (
    <Dialog
      title={`Fork from ${label === null ? `turn ${countText(turn)}` : `“${label}”`}`}
      size="large"
      onClose={onClose}
      actions={
        <>
          <span class="cp-fork-summary" role="status">
            {since === null ? (
              summary(changed.length, invalid.length)
            ) : (
              <>
                Copying the store: <Elapsed since={since} />
              </>
            )}
          </span>
          <Button onClick={onClose}>Cancel</Button>
          <Button kind="primary" icon="fork" busy={since !== null} disabled={!isReady} onClick={() => void fork()}>
            Fork
          </Button>
        </>
      }
    >
      <p class="cp-lead">
        A new store goes on from turn {countText(turn)}. This one, and all that it runs, does not change by a byte; what
        was under way then asks there before it begins again.
      </p>
      {answer === null ? null : <Failure code={answer.code ?? 'REFUSED'} message={answer.message} />}
      <div class="field">
        <label for="fork-to">File of the new store</label>
        <input
          id="fork-to"
          class="code"
          type="text"
          value={target}
          spellcheck={false}
          autocomplete="off"
          autofocus
          aria-invalid={problem !== undefined}
          aria-describedby="fork-to-help"
          onInput={(event) => setTarget(event.currentTarget.value)}
          onKeyDown={(event) => {
            if (event.key === 'Enter') void fork();
          }}
        />
        <p id="fork-to-help" class={problem === undefined ? 'field-help' : 'field-problem'}>
          {problem ?? 'On the machine of the server; it must not exist yet.'}
        </p>
      </div>
      <h3 class="cp-fork-title">
        Inputs <span class="cp-optional">edit the ones you want to change</span>
      </h3>
      {error === undefined ? null : <Failure code={error.code} message={error.message} onRetry={reload} />}
      {data === undefined && error === undefined ? <Spinner label="Reading what waited then" /> : null}
      {data === undefined ? null : (
        <ForkInputList
          items={items}
          texts={texts}
          onText={(id, text) => setTexts(text === null ? without(texts, id) : new Map(texts).set(id, text))}
        />
      )}
      <details class="cp-same">
        <summary>The same from a terminal</summary>
        <CopyText text={forkCommand(turn, target.trim(), input)} label="the command" />
      </details>
    </Dialog>
  );
}

function without(texts: ReadonlyMap<string, string>, id: string): ReadonlyMap<string, string> {
  const rest = new Map(texts);
  rest.delete(id);
  return rest;
}

function summary(changed: number, invalid: number): string {
  if (invalid > 0) return `${plural(invalid, 'input')} ${invalid === 1 ? 'is' : 'are'} not ready`;
  return changed === 0 ? 'All inputs stay as they were' : `${plural(changed, 'other input')}`;
}

interface ForkedProps {
  readonly turn: number;
  readonly target: string;
  readonly answer: CommandAnswer;
  readonly inputs: number;
  readonly onClose: () => void;
}

/** What came of it, and what to do with it next. */
function Forked({ turn, target, answer, inputs, onClose }: ForkedProps) {
  const isDone = answer.state === 'applied';
  return (
    <Dialog
      title={isDone ? 'There is a fork' : 'The fork will be made'}
      size="medium"
      onClose={onClose}
      actions={
        <Button kind="primary" autofocus onClick={onClose}>
          Done
        </Button>
      }
    >
      <div class="cp-forked">
        <span class={`cp-forked-sign ${isDone ? 'tone-ok' : 'tone-waiting'}`}>
          <Icon name={isDone ? 'fork' : 'clock'} size={24} />
        </span>
        <div>
          <p>{answer.message}</p>
          <p class="cp-note">
            It goes on from turn {countText(turn)}
            {inputs === 0 ? '' : ` with ${plural(inputs, 'other input')}`}, once a supervisor is spawned on it.
          </p>
        </div>
      </div>
      <h3 class="cp-fork-title">Its file</h3>
      <CopyText text={target} label="the path" />
      <h3 class="cp-fork-title">Look at it</h3>
      <CopyText text={`perdure inspect ${quoted(target)}`} label="the command" />
    </Dialog>
  );
}
