import { useEffect, useState } from 'preact/hooks';
import type { KeptTurn } from '../../../views/kept-turns.ts';
import type { Checkpoints } from '../../../views/past.ts';
import { plural } from '../../format.ts';
import { param, setParams } from '../../location.ts';
import { useView, type View } from '../../use-view.ts';
import { Button } from '../../ui/button.tsx';
import { Empty, Failure } from '../../ui/empty.tsx';
import { Spinner } from '../../ui/spinner.tsx';
import { CheckpointList } from './checkpoint-list.tsx';
import { TakeDialog } from './take-dialog.tsx';
import { tab, Then } from './then.tsx';
import { TimeSlider } from './time-slider.tsx';
import { chosenOf, historyText, isSurelyKept, OF_NOW, type Chosen } from './turns.ts';
import './checkpoints.css';
import './fork.css';

const turn = param('turn');
const other = param('with');

function CheckpointsView() {
  const { data, error, reload } = useView<Checkpoints>('checkpoints', {}, { restMs: 1_000 });
  const [isTaking, setTaking] = useState(false);
  const asked = data === undefined ? undefined : chosenOf(data, turn.value, other.value);
  const stood = useKeptTurn(asked?.turn);
  const stoodOther = useKeptTurn(asked?.other ?? data?.turn);
  // The newest is looked at first, and stays what is looked at when there are newer ones.
  const newest = data?.checkpoints[0]?.turn;
  useEffect(() => {
    if (turn.peek() === '' && newest !== undefined) setParams({ turn: newest });
  }, [newest, turn.value]);
  if (data === undefined || asked === undefined) {
    if (error !== undefined) return <Failure code={error.code} message={error.message} onRetry={reload} />;
    return <Spinner label="Reading the checkpoints" />;
  }
  const take = (
    <Button icon="plus" gives title="Names the present, so that it can be gone back to" onClick={() => setTaking(true)}>
      Take a checkpoint
    </Button>
  );
  const dialog = isTaking ? <TakeDialog onClose={() => setTaking(false)} onTaken={reload} /> : null;
  if (data.checkpoints.length === 0 && data.history === null) {
    return (
      <div class="cp-none">
        <Empty icon="history" title="No checkpoints yet">
          <p>
            A checkpoint is a moment that everything can go back to, or go on from elsewhere. One is taken after every
            ten settled actions, before risky ones, and when the supervisor is closed.
          </p>
          {take}
        </Empty>
        {dialog}
      </div>
    );
  }
  const chosenTurn = stood.data?.turn ?? asked.turn;
  const chosen: Chosen = {
    turn: chosenTurn,
    checkpoint: data.checkpoints.find((one) => one.turn === chosenTurn),
    other: asked.other === null ? null : (stoodOther.data?.turn ?? asked.other),
  };
  const isKnown = [asked.turn, asked.other ?? data.turn].every(
    (one, i) => isSurelyKept(data, one) || [stood, stoodOther][i]?.data !== undefined,
  );
  const { history } = data;
  const choose = (to: number): void => setParams({ turn: to });
  return (
    <div class="cp">
      <section class="cp-top" aria-label="Time">
        <div class="cp-top-head">
          <p>
            {plural(data.checkpoints.length, 'checkpoint')}
            {history === null ? '' : `, and ${historyText(history)}`}
          </p>
          <div class="cp-top-actions">{take}</div>
        </div>
        <TimeSlider
          kept={data}
          turn={chosen.turn}
          other={chosen.other}
          isComparing={tab.value === 'changes'}
          beside={{ turn: stood.data, other: stoodOther.data }}
          onTurn={choose}
          onOther={(to) => setParams({ with: to })}
        />
      </section>
      <div class="cp-body">
        <CheckpointList
          kept={data}
          turn={chosen.turn}
          onTurn={choose}
          onCompare={(to) => setParams({ turn: to, tab: 'changes' })}
        />
        {isKnown ? (
          <Then kept={data} chosen={chosen} at={stood.data?.at} />
        ) : (
          <Unknown error={stood.error ?? stoodOther.error} />
        )}
      </div>
      {dialog}
    </div>
  );
}

/** Where somebody stands who asks for a turn: numbers may be left out, and turns are forgotten. */
function useKeptTurn(asked: number | undefined): View<KeptTurn> {
  return useView<KeptTurn>(asked === undefined ? null : 'kept-turn', { turn: asked }, OF_NOW);
}

function Unknown({ error }: { readonly error: View<KeptTurn>['error'] }) {
  if (error !== undefined) return <Failure code={error.code} message={error.message} />;
  return <Spinner label="Looking for the turn" />;
}

export const view = { component: CheckpointsView };
