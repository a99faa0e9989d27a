/**
 * Feeds the page from the server it came from: one WebSocket for what happens, HTTP for what is asked.
 *
 * F1  After a break it goes on where it was; what cannot be had any more is told as missed.
 * F2  It tries again for ever, ever less often, at most every 15 s, and at once when the browser is online again or looked at.
 * F3  What comes is taken in once a frame, however much it is.
 */
import { batch } from '@preact/signals';
import type {
  ActorDetail,
  AuditEntry,
  CommandAnswer,
  CommandRequest,
  InspectionRecord,
  KnownCommand,
  ServerMessage,
  ViewerHello,
} from '../protocol.ts';
import type { Chart } from '../charts/chart.ts';
import { PROTOCOL_VERSION } from '../protocol.ts';
import { isDetailWanted, retryAt, status, type Feed } from './connection.ts';
import { Gatherer } from './gatherer.ts';
import { PageError } from './page-error.ts';
import { forgetAll, position } from './store.ts';
import { backOffMs } from './back-off.ts';

/** How long a connection must last to count as one that works. */
const STEADY_MS = 5_000;
/** Whoever wants details comes and goes with the views. */
const DETAIL_REST_MS = 300;

/** Connects, and stays connected, until it is closed. */
export function serverFeed(): Feed {
  let socket: WebSocket | null = null;
  let attempt = 0;
  let timer: ReturnType<typeof setTimeout> | undefined;
  let renewing: ReturnType<typeof setTimeout> | undefined;
  let told = false;
  let isClosed = false;
  const gatherer = new Gatherer();

  const hear = (message: ServerMessage): void => {
    if (message.type === 'hello') {
      // What came before belongs to the connection before.
      gatherer.flush();
      if (!message.resumed) forgetAll();
      batch(() => {
        status.value = 'open';
        retryAt.value = null;
      });
    }
    gatherer.hear(message);
  };
  const again = (isDenied: boolean): void => {
    if (isClosed) return;
    const waitMs = backOffMs(attempt++, Math.random());
    batch(() => {
      status.value = isDenied ? 'denied' : navigator.onLine ? 'reconnecting' : 'offline';
      retryAt.value = Date.now() + waitMs;
    });
    clearTimeout(timer);
    timer = setTimeout(connect, waitMs);
  };
  const connect = (): void => {
    clearTimeout(timer);
    if (isClosed || socket !== null) return;
    const openedAt = Date.now();
    const made = new WebSocket(socketUrl());
    socket = made;
    made.addEventListener('open', () => {
      // What has come and is not taken in yet has come.
      gatherer.flush();
      told = isDetailWanted();
      made.send(JSON.stringify(hi()));
    });
    made.addEventListener('message', ({ data }) => {
      if (socket === made && typeof data === 'string') hear(JSON.parse(data) as ServerMessage);
    });
    made.addEventListener('close', () => {
      if (socket !== made) return;
      socket = null;
      if (Date.now() - openedAt > STEADY_MS) attempt = 0;
      void denied().then(again);
    });
  };
  const renew = (): void => {
    if (socket === null || told === isDetailWanted()) return;
    const old = socket;
    socket = null;
    old.close();
    connect();
  };
  const now = (): void => {
    if (socket !== null) return;
    attempt = 0;
    connect();
  };
  const onVisible = (): void => {
    if (!document.hidden) now();
  };
  addEventListener('online', now);
  document.addEventListener('visibilitychange', onVisible);
  connect();

  return {
    kind: 'server',
    actor: async (id, seq) =>
      await fetchJson<ActorDetail>(`v1/actors/${encodeURIComponent(id)}${seq === undefined ? '' : `?seq=${seq}`}`),
    chart: async (id) => await fetchJson<Chart>(`v1/charts/${encodeURIComponent(id)}`),
    view: async (name, query) => {
      const text = new URLSearchParams(query).toString();
      return await fetchJson(`v1/views/${encodeURIComponent(name)}${text === '' ? '' : `?${text}`}`);
    },
    commands: async () => await fetchJson<readonly KnownCommand[]>('v1/commands/known'),
    give: giveOverHttp,
    audit: async (limit, before) => {
      const from = before === undefined ? '' : `&before=${encodeURIComponent(before)}`;
      return await fetchJson<readonly AuditEntry[]>(`v1/commands?limit=${limit}${from}`);
    },
    history,
    detail: () => {
      // What is wanted is said first, so it is said again on a new connection, which goes on where this one is.
      clearTimeout(renewing);
      renewing = setTimeout(renew, DETAIL_REST_MS);
    },
    retry: now,
    close: () => {
      isClosed = true;
      gatherer.close();
      clearTimeout(timer);
      clearTimeout(renewing);
      removeEventListener('online', now);
      document.removeEventListener('visibilitychange', onVisible);
      socket?.close();
    },
  };
}

/** What is said first: and where we are, so that it goes on from there. */
function hi(): ViewerHello {
  const resume = position();
  return {
    type: 'hello',
    version: PROTOCOL_VERSION,
    detail: isDetailWanted(),
    ...(resume === null ? {} : { resume }),
  };
}

function socketUrl(): string {
  const url = new URL('v1/socket', document.baseURI);
  url.protocol = url.protocol === 'https:' ? 'wss:' : 'ws:';
  url.search = '';
  url.hash = '';
  return url.href;
}

/** Asks for JSON. Rejects with PageError, which has the server's own code. */
export async function fetchJson<T>(path: string, init: RequestInit = {}): Promise<T> {
  const response = await ask(path, init);
  const text = await response.text();
  if (!response.ok) throw refusal(response, text);
  try {
    return JSON.parse(text) as T;
  } catch (error) {
    throw new PageError('NOT_JSON', `The server answered ${path} with what is not JSON: ${String(error)}`);
  }
}

/** What is refused is an answer too, with a status that says so. */
async function giveOverHttp(request: CommandRequest): Promise<CommandAnswer> {
  const init = { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(request) };
  const response = await ask('v1/commands', init);
  const text = await response.text();
  try {
    const answer = JSON.parse(text) as Partial<CommandAnswer>;
    if (answer.type === 'answer') return answer as CommandAnswer;
  } catch {
    // Something between us and the server has answered; its status says what there is to say.
  }
  throw refusal(response, text);
}

async function ask(path: string, init: RequestInit): Promise<Response> {
  try {
    return await fetch(new URL(path, document.baseURI), { credentials: 'same-origin', ...init });
  } catch (error) {
    throw new PageError('UNREACHABLE', `The server does not answer: ${error instanceof Error ? error.message : ''}`);
  }
}

function refusal(response: Response, text: string): PageError {
  try {
    const { code, message } = JSON.parse(text) as { code?: unknown; message?: unknown };
    if (typeof code === 'string' && typeof message === 'string') return new PageError(code, message);
  } catch {
    // It is not one of the server's own answers; its status says what there is to say.
  }
  return new PageError(`HTTP_${response.status}`, `The server answered ${response.status} ${response.statusText}.`);
}

/** Whether the server is there, and does not let us in. A WebSocket does not tell why it was refused. */
async function denied(): Promise<boolean> {
  try {
    const { status: code } = await ask('v1/hello', {});
    return code === 401 || code === 403;
  } catch {
    return false;
  }
}

async function history(from: number, limit: number): Promise<readonly InspectionRecord[]> {
  const path = `v1/history?from=${from}`;
  const response = await ask(path, {});
  if (!response.ok || response.body === null) throw refusal(response, await response.text());
  const found: InspectionRecord[] = [];
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = '';
  while (found.length < limit) {
    const { done, value } = await reader.read();
    const lines = (rest + (value ?? '')).split('\n');
    rest = done ? '' : (lines.pop() ?? '');
    for (const line of lines) if (line !== '') found.push(JSON.parse(line) as InspectionRecord);
    if (done) break;
  }
  await reader.cancel();
  return found.slice(0, limit);
}
