import { capabilities, feed, hello, status } from '../connection.ts';
import { href, route } from '../location.ts';
import { overviewNow } from '../overview-now.ts';
import { nextTheme, themeChoice } from '../theme.ts';
import type { Tone } from '../tone.ts';
import { Count } from '../ui/badge.tsx';
import { IconButton } from '../ui/button.tsx';
import { Icon } from '../ui/icon.tsx';
import { VIEWS, type ViewSpec } from '../views/index.ts';
import { standingNow } from './standing-now.ts';
import { isDrawerOpen, isGoing, isHelpOpen } from './keyboard.ts';

const GROUPS = ['Now', 'Actors', 'Work', 'Measures', 'Past'] as const;

/** Where one can go. */
export function Sidebar() {
  const kind = feed.value?.kind ?? 'server';
  const shown = VIEWS.filter((view) => view.supports(capabilities.value, kind));
  return (
    <aside class={`sidebar ${isDrawerOpen.value ? 'open' : ''} ${isGoing.value ? 'going' : ''}`}>
      <a class="brand" href={href(shown[0]?.id ?? 'actors')}>
        <svg class="mark" width="24" height="24" viewBox="0 0 32 32" aria-hidden>
          <rect width="32" height="32" rx="8" />
          <path d="M10.5 25V8h6a5.5 5.5 0 0 1 0 11h-6" />
        </svg>
        <span class="stack brand-text">
          <span class="brand-name">Perdure</span>
          <StoreName />
        </span>
      </a>
      <nav aria-label="Views">
        {GROUPS.map((group) => {
          const views = shown.filter((view) => view.group === group);
          return views.length === 0 ? null : <Group key={group} title={group} views={views} />;
        })}
      </nav>
      <footer class="sidebar-foot">
        <Connection />
        <IconButton
          icon={{ auto: 'auto' as const, light: 'sun' as const, dark: 'moon' as const }[themeChoice.value]}
          label={`Theme: ${themeChoice.value}`}
          small
          onClick={nextTheme}
        />
        <IconButton icon="keyboard" label="Keys" small onClick={() => (isHelpOpen.value = true)} />
      </footer>
    </aside>
  );
}

function StoreName() {
  const path = hello.value?.store?.path;
  if (path === undefined) return null;
  return (
    <span class="brand-store cut" title={path}>
      {path.split(/[\\/]/).at(-1)}
    </span>
  );
}

function Group({ title, views }: { readonly title: string; readonly views: readonly ViewSpec[] }) {
  return (
    <section class="nav-group">
      <h2 id={`nav-${title}`}>{title}</h2>
      <ul aria-labelledby={`nav-${title}`}>
        {views.map((view) => (
          <li key={view.id}>
            <a
              class="nav-item"
              href={href(view.id)}
              aria-current={route.value.view === view.id ? 'page' : undefined}
              title={view.help}
              onClick={() => (isDrawerOpen.value = false)}
            >
              <Icon name={view.icon} />
              <span class="grow cut">{view.title}</span>
              <kbd class="nav-key" aria-hidden>
                {view.key}
              </kbd>
              <NavCount view={view.id} />
            </a>
          </li>
        ))}
      </ul>
    </section>
  );
}

/** How many there are of what the view shows, where somebody should know. */
function NavCount({ view }: { readonly view: string }) {
  const now = overviewNow.value;
  if (now === null) return null;
  const { counts } = now;
  const counted: Readonly<Record<string, readonly [number, Tone, string]>> = {
    approvals: [counts.asking, 'asking', 'waiting for a person'],
    work: [counts.running, counts.backingOff > 0 ? 'retrying' : 'running', 'under way'],
    plan: [counts.plansOpen, 'running', 'open'],
    'dead-letters': [counts.deadLetters, 'failed', 'failed'],
  };
  const [value, tone, said] = counted[view] ?? [0, 'neutral', ''];
  if (value === 0) return null;
  return (
    <span class="nav-count" title={`${value} ${said}`}>
      <Count value={value} tone={tone} />
      <span class="unseen">{said}</span>
    </span>
  );
}

const SAID = {
  connecting: ['waiting', 'Connecting…'],
  reconnecting: ['retrying', 'Reconnecting…'],
  offline: ['failed', 'Offline'],
  denied: ['failed', 'No access'],
  ended: ['waiting', 'Ended'],
} as const;

function Connection() {
  const broken = status.value === 'open' ? null : SAID[status.value];
  const { tone, word, help, beats } = standingNow.value;
  return (
    <span class="connection grow" title={broken?.[1] ?? help}>
      <span class={`dot tone-${broken?.[0] ?? tone} ${broken === null && beats ? 'beats' : ''}`} />
      <span class="cut">{broken?.[1] ?? word}</span>
    </span>
  );
}
