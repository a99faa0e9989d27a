/** What the page knows of whom it looks at: kept up to date by a feed, which is a server, another inspector, or a file. */
import { computed, signal, type ReadonlySignal } from '@preact/signals';
import type { Chart } from '../charts/chart.ts';
import type {
  ActorDetail,
  ActorInfo,
  AuditEntry,
  Capabilities,
  CommandAnswer,
  CommandRequest,
  InspectionRecord,
  KnownCommand,
  ServerHello,
} from '../protocol.ts';
import { PageError } from './page-error.ts';
import { RecordList } from './record-list.ts';

/** `denied`: the server wants a token. `ended`: whoever fed us has gone for good. */
export type ConnectionStatus = 'connecting' | 'open' | 'reconnecting' | 'offline' | 'denied' | 'ended';

/** Where everything is had from. */
export interface Feed {
  readonly kind: 'server' | 'viewer' | 'file';
  /** As it is, or was after that record. Rejects with PageError. */
  actor(id: string, seq?: number): Promise<ActorDetail>;
  chart(id: string): Promise<Chart>;
  view(name: string, query: Readonly<Record<string, string>>): Promise<unknown>;
  commands(): Promise<readonly KnownCommand[]>;
  give(request: CommandRequest): Promise<CommandAnswer>;
  /** Commands that were given, the newest first; `before` is the id of the last one of the page before. */
  audit(limit: number, before?: string): Promise<readonly AuditEntry[]>;
  /** Turns of the store's past, the oldest first. */
  history(from: number, limit: number): Promise<readonly InspectionRecord[]>;
  /** Whether microsteps and actions are wanted too. */
  detail(isWanted: boolean): void;
  /** Tries again now, instead of waiting. */
  retry(): void;
  close(): void;
}

export const feed = signal<Feed | null>(null);
export const hello = signal<ServerHello | null>(null);
export const status = signal<ConnectionStatus>('connecting');
/** The last commit that we heard of; rises, so that views know when to look again. */
export const lastCommitted = signal<{ readonly turn: number; readonly at: number } | null>(null);
/** Every actor, by its id. A new map with every change, at most once a frame. */
export const registry = signal<ReadonlyMap<string, ActorInfo>>(new Map());
/** How many actors there are that are not told. */
export const untold = signal(0);
/** What happened, the oldest first, the newest 20,000. `recordsVersion` changes with it, at most once a frame. */
export const records = new RecordList();
export const recordsVersion = signal(0);
/** Records that we do not have, the newest last. */
export const missed = signal<
  readonly { readonly from: number; readonly to: number; readonly reason: 'slow' | 'gone' }[]
>([]);
/** When it is tried again to connect, ms since 1970; null while there is no need. */
export const retryAt = signal<number | null>(null);

const NOTHING: Capabilities = { commands: false, history: false, live: false, supervisor: false };
/** What can be had. All false until there is a hello. */
export const capabilities: ReadonlySignal<Capabilities> = computed(() => hello.value?.capabilities ?? NOTHING);

/** Why no command can be given now; null while one can. */
export const whyNoCommands: ReadonlySignal<string | null> = computed(() => {
  if (!capabilities.value.commands) return 'This inspector is read-only.';
  if (status.value === 'open') return null;
  return 'There is no connection to the server: what you see is as it was, and nothing can be asked of it.';
});

function fed(): Feed {
  if (feed.value === null) throw new PageError('NOT_CONNECTED', 'There is no connection yet.');
  return feed.value;
}

/** All that is known of an actor: as it is, or was after a record. Rejects with PageError. */
export async function loadActor(id: string, seq?: number): Promise<ActorDetail> {
  return await fed().actor(id, seq);
}

const charts = new Map<string, Promise<Chart>>();

/** A chart, which never changes and so is fetched once. Rejects with PageError. */
export async function loadChart(id: string): Promise<Chart> {
  const known = charts.get(id);
  if (known !== undefined) return await known;
  const loading = fed().chart(id);
  charts.set(id, loading);
  try {
    return await loading;
  } catch (error) {
    charts.delete(id);
    throw error;
  }
}

/** What a view gives, once: see useView for what is kept up to date. Rejects with PageError. */
export async function loadView<T>(name: string, query: Readonly<Record<string, string>> = {}): Promise<T> {
  return (await fed().view(name, query)) as T;
}

/** Commands that were given, the newest first. Rejects with PageError. */
export async function loadAudit(limit: number, before?: string): Promise<readonly AuditEntry[]> {
  return await fed().audit(limit, before);
}

/** Turns of the store's history from this one on, the oldest first. */
export async function loadHistory(from: number, limit = 1_000): Promise<readonly InspectionRecord[]> {
  return await fed().history(from, limit);
}

let wanting = 0;

/** Asks for microsteps and actions too, until what it returns is called. */
export function wantDetail(): () => void {
  if (wanting++ === 0) feed.peek()?.detail(true);
  return () => {
    if (--wanting === 0) feed.peek()?.detail(false);
  };
}

export function isDetailWanted(): boolean {
  return wanting > 0;
}
