/** `perdure schedule`: what is submitted at which times, and what an operator does with it. */
import type { ScheduleCommand, Timing } from '../machines/schedules.ts';
import { readSchedules, type ScheduleInfo } from '../actors/schedules.ts';
import { shownDuration } from './duration.ts';
import { EXIT } from './failure.ts';
import { give, type RemoteOptions } from './remote.ts';
import { storeOf } from './named-store.ts';
import { hasTable, readStore } from '../persistence/store-reader.ts';
import { textTable } from './text-table.ts';

/** Prints the schedules with their next times. */
export function listSchedules({ store: named, json }: RemoteOptions & { readonly json?: boolean }): number {
  const store = storeOf(named);
  const found = readStore(store, (rows) => (hasTable(rows, 'schedules') ? readSchedules(rows, Date.now()) : []));
  process.stdout.write(json === true ? `${JSON.stringify(found, null, 2)}\n` : `${text(found, store).join('\n')}\n`);
  return EXIT.ok;
}

/** Asks something of a schedule. Throws SCHEDULE_NOT_FOUND. */
export function commandSchedule(
  command: Exclude<ScheduleCommand, 'remove'>,
  id: string,
  options: RemoteOptions,
): Promise<number> {
  return give(options, { command: command === 'trigger' ? 'trigger' : `${command}-schedule`, params: { id } });
}

function text(schedules: readonly ScheduleInfo[], store: string): string[] {
  if (schedules.length === 0) return [`no schedules in ${store}`];
  const time = (at: number | null | undefined) => (at == null ? '' : new Date(at).toISOString());
  return textTable(schedules, [
    { title: 'schedule', of: ({ id }) => id },
    { title: 'action', of: ({ action }) => action },
    { title: 'when', of: ({ timing }) => timingText(timing) },
    { title: 'state', of: ({ state }) => state },
    { title: 'next', of: ({ next }) => time(next[0]) },
    { title: 'last', of: ({ lastAt }) => time(lastAt) },
    { title: '', of: ({ problem }) => problem?.split('\n', 1)[0] ?? '' },
  ]);
}

function timingText(timing: Timing): string {
  if ('cron' in timing) return `${timing.cron} (${timing.timeZone})`;
  return 'everyMs' in timing ? `every ${shownDuration(timing.everyMs)}` : 'once';
}
