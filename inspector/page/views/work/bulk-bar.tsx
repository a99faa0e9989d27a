import { useRef, useState } from 'preact/hooks';
import type { CommandAnswer } from '../../../protocol.ts';
import type { WorkItem } from '../../../views/work.ts';
import { knownCommands } from '../../command.ts';
import { feed } from '../../connection.ts';
import { countText, plural } from '../../format.ts';
import { pageErrorOf } from '../../page-error.ts';
import { Button, IconButton } from '../../ui/button.tsx';
import { confirm } from '../../ui/dialog.tsx';
import { Icon } from '../../ui/icon.tsx';
import { Meter } from '../../ui/meter.tsx';
import { actionParams } from './action-commands.ts';
import { bulkCommands, giveAll, summaryText, type BulkCommand, type Summary } from './bulk.ts';

export interface BulkBarProps {
  readonly items: readonly WorkItem[];
  readonly onClear: () => void;
}

type Standing =
  | { readonly is: 'idle' }
  | { readonly is: 'busy'; readonly label: string; readonly done: number; readonly of: number }
  | { readonly is: 'done'; readonly label: string; readonly summary: Summary };

/** What can be done to all that are picked, how far it is, and what came of it. */
export function BulkBar({ items, onClear }: BulkBarProps) {
  const [standing, setStanding] = useState<Standing>({ is: 'idle' });
  const stop = useRef({ aborted: false });
  if (items.length === 0 && standing.is === 'idle') return null;

  const run = async (bulk: BulkCommand, ids: readonly string[]): Promise<void> => {
    const isMeant = await confirm({
      title: `${bulk.label}: ${plural(ids.length, 'action')}?`,
      text: `${plural(ids.length, 'action')} ${bulk.does}.${ids.length < items.length ? ` ${countText(items.length - ids.length)} of those that are picked are left alone, because it does not fit them.` : ''}`,
      action: bulk.label,
      isDangerous: bulk.command === 'cancel',
    });
    if (!isMeant) return;
    stop.current = { aborted: false };
    setStanding({ is: 'busy', label: bulk.label, done: 0, of: ids.length });
    const summary = await giveAll(
      ids,
      async (id) => await given(bulk.command, id),
      (done) => setStanding({ is: 'busy', label: bulk.label, done, of: ids.length }),
      stop.current,
    );
    setStanding({ is: 'done', label: bulk.label, summary });
  };

  return (
    <div class="bulk" role="region" aria-label="What is picked">
      {standing.is === 'busy' ? (
        <>
          <span class="bulk-count" role="status">
            {standing.label}: {countText(standing.done)} of {countText(standing.of)}
          </span>
          <Meter value={standing.done} max={standing.of} label={`${standing.label}, progress`} />
          <Button small onClick={() => (stop.current.aborted = true)}>
            Stop
          </Button>
        </>
      ) : standing.is === 'done' ? (
        <>
          <Icon name={standing.summary.refused > 0 ? 'notice' : 'check'} />
          <span class="bulk-count" role="status">
            {standing.label}: {summaryText(standing.summary)}
          </span>
          {standing.summary.reasons.length === 0 ? null : (
            <ul class="bulk-reasons">
              {standing.summary.reasons.slice(0, 3).map(({ message, count }) => (
                <li key={message} title={message}>
                  {countText(count)}× {message}
                </li>
              ))}
            </ul>
          )}
          <Button
            small
            onClick={() => {
              setStanding({ is: 'idle' });
              onClear();
            }}
          >
            Done
          </Button>
        </>
      ) : (
        <>
          <span class="bulk-count">{plural(items.length, 'action')} picked</span>
          {bulkCommands.map((bulk) => {
            const ids = items.filter(bulk.fits).map(({ id }) => id);
            return (
              <Button
                key={bulk.command}
                small
                icon={bulk.icon}
                kind={bulk.command === 'cancel' ? 'danger' : 'plain'}
                gives
                disabled={ids.length === 0}
                title={`${plural(ids.length, 'action')} ${bulk.does}`}
                onClick={() => void run(bulk, ids)}
              >
                {bulk.label}
                {ids.length === 0 ? '' : ` ${countText(ids.length)}`}
              </Button>
            );
          })}
          <IconButton icon="cross" small label="Pick none" onClick={onClear} />
        </>
      )}
    </div>
  );
}

/** Without a note in the corner for each: there is one summary for all. */
async function given(command: string, action: string): Promise<CommandAnswer> {
  const id = crypto.randomUUID();
  try {
    const to = feed.peek();
    if (to === null) return { type: 'answer', id, state: 'refused', message: 'There is no connection.' };
    return await to.give({ type: 'command', id, command, params: actionParams(command, action, knownCommands.peek()) });
  } catch (error) {
    const { code, message } = pageErrorOf(error);
    return { type: 'answer', id, state: 'refused', code, message };
  }
}
