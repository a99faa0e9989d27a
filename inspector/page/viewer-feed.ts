/**
 * Feeds the page from whoever opened or frames it: the viewer of Stately's `createBrowserInspector` and `createInspectorServer`. It
 * never speaks to a server, and hears nobody but the window that it said hello to.
 */
import type { ServerHello } from '../protocol.ts';
import { PROTOCOL_VERSION } from '../protocol.ts';
import { status, type Feed } from './connection.ts';
import { Gatherer } from './gatherer.ts';
import { PageError } from './page-error.ts';
import { StatelyFeed } from './stately-feed.ts';

/** Says hello, and takes in what is posted until it is closed. */
export function viewerFeed(): Feed {
  const stately = new StatelyFeed();
  const gatherer = new Gatherer();
  const other = window.parent === window ? (window.opener as Window | null) : window.parent;

  const onMessage = ({ source, data }: MessageEvent<unknown>): void => {
    if (other === null || source !== other) return;
    if ((data as { type?: unknown } | null)?.type === '@statelyai.disconnected') status.value = 'ended';
    for (const message of stately.take(data, Date.now())) gatherer.hear(message);
  };
  addEventListener('message', onMessage);
  gatherer.hear(hello());
  status.value = 'open';
  // Whoever listens may be of any origin: this says nothing but that we are here.
  other?.postMessage({ type: '@statelyai.connected' }, '*');

  return {
    kind: 'viewer',
    actor: (id, seq) => found(stately.actor(id, seq), `There is no state of "${id}" any more.`),
    chart: async (id) => {
      const definition = await found(stately.definition(id), `There is no definition "${id}".`);
      const { chartOfConfig } = await import('../charts/chart-of-config.ts');
      return await found(chartOfConfig(definition), 'XState takes no machine of this definition.');
    },
    view: onlyServers,
    commands: () => Promise.resolve([]),
    give: onlyServers,
    audit: onlyServers,
    history: () => Promise.resolve([]),
    detail: () => {},
    retry: () => {},
    close: () => {
      removeEventListener('message', onMessage);
      gatherer.close();
    },
  };
}

/** What nobody but a server has. */
export function onlyServers(): Promise<never> {
  return Promise.reject(new PageError('NO_SERVER', 'There is no server here that could be asked.'));
}

export function found<T>(value: T | undefined, message: string): Promise<T> {
  if (value === undefined) return Promise.reject(new PageError('NOT_FOUND', message));
  return Promise.resolve(value);
}

function hello(): ServerHello {
  return {
    type: 'hello',
    version: PROTOCOL_VERSION,
    server: { name: '@statelyai/inspect', version: '' },
    epoch: crypto.randomUUID(),
    seq: 0,
    resumed: false,
    capabilities: { commands: false, history: false, live: true, supervisor: false },
    store: null,
    badge: null,
    startedAt: Date.now(),
    pid: null,
  };
}
