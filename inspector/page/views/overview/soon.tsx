import type { Overview } from '../../../views/overview.ts';
import { Icon } from '../../ui/icon.tsx';
import { Link } from '../../ui/link.tsx';
import { Panel } from '../../ui/panel.tsx';
import { Countdown, Time } from '../../ui/time.tsx';

const ICONS = { retry: 'retry', schedule: 'calendar', delay: 'clock' } as const;
const SHOWN = 6;

/** What is due by time. */
export function Next({ next }: { readonly next: Overview['next'] }) {
  if (next.length === 0) return null;
  return (
    <Panel title="Due next" icon="clock">
      <ul class="rows">
        {next.slice(0, SHOWN).map(({ at, what, id, kind }) => (
          <li key={`${kind} ${id}`} class="row">
            <Icon name={ICONS[kind]} size={14} label={kind} />
            <Link
              view={kind === 'schedule' ? 'schedules' : 'work'}
              params={kind === 'schedule' ? { schedule: id } : { action: id }}
              class="link grow cut"
              title={id}
            >
              {what}
            </Link>
            <span class="faint">
              <Countdown to={at} />
            </span>
          </li>
        ))}
      </ul>
    </Panel>
  );
}

/** The newest incidents. */
export function Notices({ notices }: { readonly notices: Overview['notices'] }) {
  if (notices.length === 0) return null;
  return (
    <Panel title="Notices" icon="notice" actions={<Link view="notices">All</Link>}>
      <ul class="rows">
        {notices.slice(0, SHOWN).map(({ id, at, kind, detail }) => (
          <li key={id} class="notice-line">
            <span class="row">
              <b class="grow cut">{kind}</b>
              <span class="faint">
                <Time at={at} />
              </span>
            </span>
            <span class="soft notice-detail">{detail}</span>
          </li>
        ))}
      </ul>
    </Panel>
  );
}
