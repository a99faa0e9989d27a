import { useEffect, useState } from 'preact/hooks';
import type { Checkpoints } from '../../../views/past.ts';
import { countText, plural } from '../../format.ts';
import { param, setParams } from '../../location.ts';
import { useView } from '../../use-view.ts';
import { Button } from '../../ui/button.tsx';
import { Empty, Failure } from '../../ui/empty.tsx';
import { Spinner } from '../../ui/spinner.tsx';
import { CheckpointList } from './checkpoint-list.tsx';
import { TakeDialog } from './take-dialog.tsx';
import { tab, Then } from './then.tsx';
import { TimeSlider } from './time-slider.tsx';
import { chosenOf } from './turns.ts';
import './checkpoints.css';
import './fork.css';

const turn = param('turn');
const other = param('with');

function CheckpointsView() {
  const { data, error, reload } = useView<Checkpoints>('checkpoints', {}, { restMs: 1_000 });
  const [isTaking, setTaking] = useState(false);
  // The newest is looked at first, and stays what is looked at when there are newer ones.
  const newest = data?.checkpoints[0]?.turn;
  useEffect(() => {
    if (turn.peek() === '' && newest !== undefined) setParams({ turn: newest });
  }, [newest, turn.value]);
  if (data === undefined) {
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
  const chosen = chosenOf(data, turn.value, other.value);
  const { history } = data;
  const choose = (to: number): void => setParams({ turn: to });
  return (
    <div class="cp">
      <section class="cp-top" aria-label="Time">
        <div class="cp-top-head">
          <p>
            {plural(data.checkpoints.length, 'checkpoint')}
            {history === null ? '' : `, and every turn from ${countText(history.from)} to ${countText(history.to)}`}
          </p>
          <div class="cp-top-actions">{take}</div>
        </div>
        <TimeSlider
          kept={data}
          turn={chosen.turn}
          other={chosen.other}
          isComparing={tab.value === 'changes'}
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
        <Then kept={data} chosen={chosen} />
      </div>
      {dialog}
    </div>
  );
}

export const view = { component: CheckpointsView };
