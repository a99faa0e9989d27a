/**
 * What got a slot and gave it back untried, because somebody is to be asked or its component said no, spends nothing of the rates
 * that let it start.
 */
import type { Placed } from './keys.ts';
import { KEY_GATE, type LaneRow } from './lane-tables.ts';
import type { QueueStep } from './lanes.ts';
import { DEFAULT_QUEUE } from './queue-options.ts';

/** Takes back the starts that were counted for it. It was claimed in the turn that is running, from this lane. */
export function takeBackStarts({ rows }: QueueStep, { lane, key }: Pick<Placed, 'lane' | 'key'>): void {
  const found = rows.get<Pick<LaneRow, 'queue' | 'component'>>('select queue, component from lanes where id = ?', lane);
  const { queue, component } = found ?? { queue: DEFAULT_QUEUE, component: null };
  const gates = [`queue ${queue}`];
  if (component !== null) gates.push(`component ${component}`);
  if (key !== null) gates.push(`${KEY_GATE}${key}`);
  // Starts of one turn are as good as simultaneous. Without the last there is no hole in the numbers.
  for (const gate of gates)
    rows.run(
      'delete from gate_starts where from_turn = ? and id = (select id from gate_starts where gate = ? order by n desc limit 1)',
      rows.turn,
      gate,
    );
}
