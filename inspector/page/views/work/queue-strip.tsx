import type { Work } from '../../../views/work.ts';
import { give, knownCommands } from '../../command.ts';
import { countText } from '../../format.ts';
import { Badge } from '../../ui/badge.tsx';
import { IconButton } from '../../ui/button.tsx';
import { Meter } from '../../ui/meter.tsx';
import { actionParams } from './action-commands.ts';

export interface QueueStripProps {
  readonly queues: Work['queues'];
  readonly selected: string | undefined;
  /** Undefined: of all queues again. */
  readonly onSelect: (queue: string | undefined) => void;
}

/** The queues side by side: how many wait, how many run of how many may, and whether it stands still. */
export function QueueStrip({ queues, selected, onSelect }: QueueStripProps) {
  if (queues.length === 0) return null;
  return (
    <ul class="queues" aria-label="Queues">
      {queues.map((queue) => (
        <li key={queue.name} class={`queue ${queue.name === selected ? 'is-selected' : ''}`}>
          <button
            type="button"
            class="queue-main"
            aria-pressed={queue.name === selected}
            title={queue.name === selected ? 'Show all queues again' : `Show only what is in ${queue.name}`}
            onClick={() => onSelect(queue.name === selected ? undefined : queue.name)}
          >
            <span class="queue-name">
              {queue.name}
              {queue.isPaused ? (
                <Badge tone="waiting" icon="pause">
                  paused
                </Badge>
              ) : null}
            </span>
            <span class="queue-figures">
              <span>
                <b>{countText(queue.waiting)}</b> waiting
              </span>
              <span>
                <b>{countText(queue.running)}</b>
                {queue.limit === null ? ' running' : `/${countText(queue.limit)} running`}
              </span>
            </span>
            {queue.limit === null ? null : (
              <Meter
                value={queue.running}
                max={queue.limit}
                tone={queue.isPaused ? 'waiting' : 'running'}
                label={`Slots of the queue ${queue.name}`}
                text={`${queue.running} of ${queue.limit} run`}
              />
            )}
          </button>
          <Switch name={queue.name} isPaused={queue.isPaused} />
        </li>
      ))}
    </ul>
  );
}

function Switch({ name, isPaused }: { readonly name: string; readonly isPaused: boolean }) {
  const command = isPaused ? 'resume-queue' : 'pause-queue';
  return (
    <IconButton
      icon={isPaused ? 'play' : 'pause'}
      small
      label={`${isPaused ? 'Resume' : 'Pause'} the queue ${name}`}
      gives
      title={`${isPaused ? 'Resume' : 'Pause'} ${name}`}
      onClick={() => void give(command, actionParams(command, name, knownCommands.peek()))}
    />
  );
}
