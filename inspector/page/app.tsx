import { whenIdle } from './idle.ts';
import { lazy, type LazyComponent } from './lazy.ts';
import { useEffect } from 'preact/hooks';
import { capabilities, feed, hello, status } from './connection.ts';
import { Banners } from './frame/banner.tsx';
import { showFavicon } from './frame/favicon.ts';
import { isDrawerOpen, isHelpOpen, isPaletteOpen, listenToKeys } from './frame/keyboard.ts';
import { Sidebar } from './frame/sidebar.tsx';
import { titleText } from './frame/state-text.ts';
import { Topbar } from './frame/topbar.tsx';
import { go, route } from './location.ts';
import { overviewError, overviewNow } from './overview-now.ts';
import { Questions } from './ui/dialog.tsx';
import { Empty, Failure } from './ui/empty.tsx';
import { Spinner } from './ui/spinner.tsx';
import { Toasts } from './ui/toast.tsx';
import { useView } from './use-view.ts';
import type { Overview } from '../views/overview.ts';
import { VIEWS, type ViewSpec } from './views/index.ts';

const OVERVIEW_REST_MS = 1_000;

const Palette = lazy(async () => (await import('./frame/palette.tsx')).Palette);
const Help = lazy(async () => (await import('./frame/help.tsx')).Help);
const Views = new Map<string, LazyComponent>(
  VIEWS.map(({ id, load }) => [id, lazy(async () => (await load()).view.component)]),
);

/** The frame, with the view in it that the address names. */
export function App() {
  const spec = shownView();
  useEffect(listenToKeys, []);
  useEffect(fetchOthers, [status.value === 'open']);
  const isElsewhere = hello.value !== null && route.value.view !== spec.id;
  useEffect(() => {
    if (isElsewhere) go(spec.id, {}, { replace: true });
  }, [isElsewhere, spec.id]);
  useEffect(() => {
    isDrawerOpen.value = false;
    document.querySelector('main')?.scrollTo(0, 0);
  }, [spec.id]);
  return (
    <div class="app">
      <a class="skip" href="#main" onClick={skip}>
        Skip to the content
      </a>
      <Sidebar />
      {isDrawerOpen.value ? <div class="shade" onClick={() => (isDrawerOpen.value = false)} /> : null}
      <div class="page">
        <Topbar title={spec.title} />
        <Banners />
        <main id="main" tabIndex={-1} aria-label={spec.title}>
          <ViewFrame key={spec.id} spec={spec} />
        </main>
      </div>
      <Watch title={spec.title} />
      {isPaletteOpen.value ? <Palette.component /> : null}
      {isHelpOpen.value ? <Help.component /> : null}
      <Questions />
      <Toasts />
    </div>
  );
}

/** A host that goes away takes along what was not fetched before: so all that can be opened is. */
function fetchOthers(): (() => void) | undefined {
  if (status.peek() !== 'open') return undefined;
  const kind = feed.peek()?.kind ?? 'server';
  const views = VIEWS.filter(({ supports }) => supports(capabilities.peek(), kind));
  return whenIdle([...views.flatMap(({ id }) => Views.get(id) ?? []), Palette, Help].map(({ fetch }) => fetch));
}

/** The view that the address names; where there is none of that name, or it cannot be had, the first that can. */
function shownView(): ViewSpec {
  const named = VIEWS.find(({ id }) => id === route.value.view);
  const kind = feed.value?.kind ?? 'server';
  const isKnown = hello.value !== null;
  if (named !== undefined && (!isKnown || named.supports(capabilities.value, kind))) return named;
  return VIEWS.find(({ supports }) => supports(capabilities.value, kind)) ?? VIEWS[0]!;
}

function ViewFrame({ spec }: { readonly spec: ViewSpec }) {
  const View = Views.get(spec.id);
  if (hello.value === null) return status.value === 'connecting' ? <Spinner label="Connecting…" /> : <Unconnected />;
  if (View === undefined) return <Failure code="VIEW_UNKNOWN" message={`There is no view "${spec.id}".`} />;
  return <View.component />;
}

function Unconnected() {
  return (
    <Empty icon="offline" title="Nothing to show yet">
      It will appear as soon as the server answers.
    </Empty>
  );
}

function skip(event: Event): void {
  event.preventDefault();
  document.querySelector<HTMLElement>('main')?.focus();
}

/** Keeps the overview up to date for the sidebar, the title and the sign in the tab. It draws nothing. */
function Watch({ title }: { readonly title: string }) {
  const isOpen = route.value.view === 'overview';
  const name = capabilities.value.supervisor && feed.value?.kind === 'server' ? 'overview' : null;
  const { data, error } = useView<Overview>(name, {}, isOpen ? {} : { restMs: OVERVIEW_REST_MS });
  useEffect(() => {
    if (data !== undefined) overviewNow.value = data;
    overviewError.value = error ?? null;
  }, [data, error]);
  const isBroken = status.value !== 'open';
  useEffect(() => {
    document.title = isBroken ? `Offline — Perdure` : titleText(data ?? null, title);
    const isBad = data !== undefined && (data.counts.deadLetters > 0 || data.health?.overall === 'unhealthy');
    showFavicon(
      isBroken ? 'offline' : isBad ? 'failed' : data !== undefined && data.counts.running > 0 ? 'running' : 'idle',
    );
  }, [data, title, isBroken]);
  return null;
}
