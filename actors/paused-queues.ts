/** Which queues are paused: their lanes are closed to a claim, and what runs of them ends. */
import type { QueueNotice, QueueRequest } from '../machines/executor.ts';
import type { Rows } from '../persistence/rows.ts';

/** Pauses a queue, or lets it go on; undefined when it was so already. */
export function commandQueue(rows: Rows, { queue, command, at }: QueueRequest): QueueNotice | undefined {
  if (command === 'resume') {
    const was = rows.run('delete from paused_queues where queue = ?', queue);
    return was === 0 ? undefined : { type: 'queue.resumed', queue, at };
  }
  const isNew = rows.run(
    'insert into paused_queues(queue, paused_at, from_turn) values (?, ?, ?) on conflict(queue) do nothing',
    queue,
    at,
    rows.turn,
  );
  return isNew === 0 ? undefined : { type: 'queue.paused', queue, at };
}
