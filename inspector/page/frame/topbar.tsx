import { capabilities, feed, hello, status } from '../connection.ts';
import { durationText, oneUnit } from '../format.ts';
import { overviewNow } from '../overview-now.ts';
import { Badge, StateBadge } from '../ui/badge.tsx';
import { IconButton } from '../ui/button.tsx';
import { useNow } from '../ui/clock.ts';
import { Icon } from '../ui/icon.tsx';
import { standingNow } from './standing-now.ts';
import { isDrawerOpen, isPaletteOpen } from './keyboard.ts';

const isMac = /mac|iphone|ipad/i.test(navigator.userAgent);

/** Where we are, what we look at, and the way to everywhere else. */
export function Topbar({ title }: { readonly title: string }) {
  return (
    <header class="topbar">
      <span class="only-narrow">
        <IconButton
          icon="menu"
          label={isDrawerOpen.value ? 'Close the list of views' : 'Open the list of views'}
          pressed={isDrawerOpen.value}
          onClick={() => (isDrawerOpen.value = !isDrawerOpen.peek())}
        />
      </span>
      <h1 class="cut" tabIndex={-1}>
        {title}
      </h1>
      <Place />
      <button type="button" class="jump" onClick={() => (isPaletteOpen.value = true)}>
        <Icon name="search" size={14} />
        <span class="jump-text">Search or jump to…</span>
        <kbd aria-hidden>{isMac ? '⌘ K' : 'Ctrl K'}</kbd>
      </button>
    </header>
  );
}

/** What we look at: its name, how well it is, its process. */
function Place() {
  const said = hello.value;
  if (said === null) return <span class="grow" />;
  const health = overviewNow.value?.health?.overall;
  return (
    <div class="place grow">
      {said.badge === null ? null : (
        <Badge tone="accent" icon={null} title="What the host calls this place">
          {said.badge}
        </Badge>
      )}
      {health === undefined ? null : <StateBadge state={health} title="How well the whole is" />}
      {capabilities.value.commands || feed.value?.kind !== 'server' ? null : (
        <Badge icon="lock" title="Commands are not obeyed: the server was started without them.">
          read-only
        </Badge>
      )}
      {capabilities.value.live || feed.value?.kind !== 'server' ? null : (
        <Badge icon="eye" tone={standingNow.value.tone} title={standingNow.value.help}>
          {standingNow.value.word.toLowerCase()}
        </Badge>
      )}
      {said.pid === null ? null : <Uptime startedAt={said.startedAt} pid={said.pid} epoch={said.epoch} />}
    </div>
  );
}

function Uptime(props: { readonly startedAt: number; readonly pid: number; readonly epoch: string }) {
  const now = useNow();
  if (status.value !== 'open') return null;
  const up = now - props.startedAt;
  return (
    <span class="uptime" title={`Process ${props.pid}, up for ${durationText(up)}, epoch ${props.epoch}`}>
      pid {props.pid} · up {oneUnit(Math.max(0, up))}
    </span>
  );
}
