import type { SchedulesView } from '../../../views/measures.ts';
import { canCommand, give } from '../../command.ts';
import { durationText, timestampText } from '../../format.ts';
import { param } from '../../location.ts';
import { Badge, StateBadge } from '../../ui/badge.tsx';
import { Empty, Failure } from '../../ui/empty.tsx';
import { ActionLink } from '../../ui/link.tsx';
import { Menu } from '../../ui/menu.tsx';
import { Button } from '../../ui/button.tsx';
import { Panel } from '../../ui/panel.tsx';
import { Search } from '../../ui/search.tsx';
import { Spinner } from '../../ui/spinner.tsx';
import { Countdown, Time } from '../../ui/time.tsx';
import { walkOnKey } from '../../ui/walk.ts';
import { useView } from '../../use-view.ts';
import './schedules.css';

type Schedule = SchedulesView['items'][number];

/** What is done at certain times. */
function Schedules() {
  const { data, error, reload } = useView<SchedulesView>('schedules');
  const search = param('search');
  if (error !== undefined && data === undefined) {
    return <Failure code={error.code} message={error.message} onRetry={reload} />;
  }
  if (data === undefined) return <Spinner label="Loading…" />;
  const typed = search.value.toLowerCase();
  const shown = data.items.filter(({ id, action }) => `${id} ${action}`.toLowerCase().includes(typed));
  return (
    <div class="view-column">
      <div class="toolbar">
        <Search value={search.value} onInput={(text) => (search.value = text)} label="Search schedules" />
      </div>
      <Panel title="Schedules" icon="calendar" count={shown.length} flush>
        {shown.length === 0 ? (
          <Empty icon="calendar" title={typed === '' ? 'Nothing is scheduled' : 'No schedule is called that'}>
            What <code>supervisor.schedules.put(…)</code> puts here is submitted by the clock, also after a restart.
          </Empty>
        ) : (
          <ul data-list tabIndex={-1} onKeyDown={walkOnKey}>
            {shown.map((schedule) => (
              <Line key={schedule.id} schedule={schedule} isMeant={param('schedule').value === schedule.id} />
            ))}
          </ul>
        )}
      </Panel>
    </div>
  );
}

function Line({ schedule, isMeant }: { readonly schedule: Schedule; readonly isMeant: boolean }) {
  const { id, action, state, next, lastAt, lastAction, problem } = schedule;
  const isPaused = state === 'paused';
  return (
    <li class={`schedule-line ${isMeant ? 'meant' : ''}`} data-item tabIndex={-1}>
      <StateBadge state={state} />
      <div class="grow">
        <p class="row wrap">
          <b class="cut">{id}</b>
          <span class="faint cut">{action === id ? '' : `submits ${action}`}</span>
          {problem === null ? null : (
            <Badge tone="degraded" title={problem}>
              {problem}
            </Badge>
          )}
        </p>
        <p class="schedule-facts">
          <span class="id">{timingText(schedule.timing)}</span>
          {lastAt === null ? null : (
            <span>
              last <Time at={lastAt} />
              {lastAction === null ? null : (
                <>
                  : <ActionLink id={lastAction} />
                </>
              )}
            </span>
          )}
          {schedule.until === null ? null : <span>until {timestampText(schedule.until)}</span>}
        </p>
      </div>
      <span class="schedule-next" title={next.map(timestampText).join('\n')}>
        {next[0] === undefined ? <span class="faint">no next time</span> : <Countdown to={next[0]} />}
      </span>
      {canCommand.value ? (
        <>
          <Button small gives icon="play" title="Submit an occurrence now" onClick={() => void give('run-now', { id })}>
            Run now
          </Button>
          <Menu
            label={`More for ${id}`}
            items={[
              isPaused
                ? {
                    label: 'Resume',
                    icon: 'play',
                    gives: true,
                    onSelect: () => void give('resume-schedule', { id }),
                  }
                : {
                    label: 'Pause',
                    icon: 'pause',
                    gives: true,
                    disabled: state === 'ended',
                    onSelect: () => void give('pause-schedule', { id }),
                  },
            ]}
          />
        </>
      ) : null}
    </li>
  );
}

function timingText(timing: Schedule['timing']): string {
  if ('cron' in timing) return `${timing.cron} (${timing.timeZone})`;
  if ('everyMs' in timing) return `every ${durationText(timing.everyMs)}`;
  return `once, ${timestampText(timing.at)}`;
}

export const view = { component: Schedules };
