/**
 * Everything that can be asked of the server, one row each; what is not here is not there. The guard has let the request in before
 * a route sees it.
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Assets } from './assets.ts';
import type { Chart } from '../charts/chart.ts';
import { drawSvg } from '../charts/chart-drawing.ts';
import type { CommandGate, Giver } from './command-gate.ts';
import { knownCommands } from '../commands/known-commands.ts';
import { exportLines } from '../sources/export.ts';
import { sendLines } from './lines.ts';
import { mermaidOf } from '../charts/mermaid.ts';
import type { ServerHello } from '../protocol.ts';
import { jsonOf } from './request-body.ts';
import { ReplyFailure, send, sendJson, type Failure } from './reply.ts';
import type { Source, SourceListener } from '../sources/source.ts';

/** What a route answers from. */
export interface RouteWorld {
  readonly source: Source;
  readonly gate: CommandGate;
  readonly assets: Assets;
  readonly hello: (giver: Giver, resumed: boolean) => ServerHello;
  /** Notes what nobody foresaw; gives what may be told of it. */
  readonly failed: (part: string, error: unknown) => Failure;
  /** Figures in Prometheus' text format. */
  readonly metrics: () => Promise<string>;
  /** Files of the profiler; undefined where there is none. */
  readonly profile?: {
    readonly cpuProfile: (plan: string | undefined) => unknown;
    readonly trace: () => Promise<unknown>;
  };
}

/** One request that was let in. */
export interface Call {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  /** What stands for the parts of the path that have a name. */
  readonly params: Readonly<Record<string, string>>;
  readonly query: URLSearchParams;
  readonly giver: Giver;
}

export interface Route {
  readonly method: 'GET' | 'POST';
  /** A part that begins with a colon stands for any text without a slash. */
  readonly path: string;
  /** `nothing`: what it gives is the package's own code. Default: the token. */
  readonly access?: 'nothing';
  /** It may be shown in a frame of any page. */
  readonly isFramed?: true;
  /** It is upgraded to a WebSocket; asked otherwise it answers 426. */
  readonly isUpgrade?: true;
  serve(call: Call, world: RouteWorld): void | Promise<void>;
}

export const ROUTES: readonly Route[] = [
  {
    method: 'GET',
    path: '/',
    serve: ({ request, response }, { assets }) => assets.send(request, response, 'index.html'),
  },
  {
    method: 'GET',
    path: '/viewer',
    access: 'nothing',
    isFramed: true,
    serve: ({ request, response }, { assets }) => assets.send(request, response, 'index.html'),
  },
  {
    method: 'GET',
    path: '/assets/:file',
    access: 'nothing',
    serve: ({ request, response, params }, { assets }) => assets.send(request, response, `assets/${params['file']}`),
  },
  {
    method: 'GET',
    path: '/:file',
    access: 'nothing',
    serve: ({ request, response, params: { file = '' } }, { assets }) => {
      // The page itself is for those who know the token.
      if (file.endsWith('.html')) throw notFound('such file');
      return assets.send(request, response, file);
    },
  },
  {
    method: 'GET',
    path: '/metrics',
    async serve({ response }, { metrics }) {
      send(response, 200, await metrics(), { 'Content-Type': 'text/plain; version=0.0.4; charset=utf-8' });
    },
  },
  {
    method: 'GET',
    path: '/v1/hello',
    serve: ({ request, response, giver }, { hello }) => sendJson(request, response, hello(giver, false)),
  },
  {
    method: 'GET',
    path: '/v1/actors',
    serve: ({ request, response }, { source }) => sendJson(request, response, source.registry()),
  },
  {
    method: 'GET',
    path: '/v1/actors/:id',
    serve({ request, response, params: { id = '' }, query }, { source }) {
      const actor = source.actor(id, numberIn(query, 'seq'));
      if (actor === undefined) throw notFound('such actor');
      sendJson(request, response, actor);
    },
  },
  {
    method: 'GET',
    path: '/v1/charts/:id.svg',
    async serve({ response, params: { id = '' } }, { source }) {
      const drawn = await drawSvg(chartIn(source, id));
      send(response, 200, drawn, { 'Content-Type': 'image/svg+xml', 'Content-Disposition': 'attachment' });
    },
  },
  {
    method: 'GET',
    path: '/v1/charts/:id.mmd',
    serve({ response, params: { id = '' } }, { source }) {
      send(response, 200, mermaidOf(chartIn(source, id)), { 'Content-Type': 'text/plain; charset=utf-8' });
    },
  },
  {
    method: 'GET',
    path: '/v1/charts/:id',
    serve: ({ request, response, params: { id = '' } }, { source }) => sendJson(request, response, chartIn(source, id)),
  },
  {
    method: 'GET',
    path: '/v1/records',
    serve({ request, response, query }, { source }) {
      const from = numberIn(query, 'from') ?? 0;
      look(source);
      sendJson(request, response, source.recordsFrom(from));
    },
  },
  {
    method: 'GET',
    path: '/v1/history',
    serve: ({ response, query }, { source }) =>
      sendLines(response, (signal) => {
        const from = numberIn(query, 'from');
        const tree = query.get('tree');
        return source.history({ ...(from === undefined ? {} : { from }), ...(tree === null ? {} : { tree }), signal });
      }),
  },
  {
    method: 'GET',
    path: '/v1/export',
    serve({ response, giver }, { source, hello }) {
      response.setHeader('Content-Disposition', 'attachment; filename="perdure-export.ndjson"');
      return sendLines(response, (signal) => exportLines(source, { hello: hello(giver, false), signal }));
    },
  },
  {
    method: 'GET',
    path: '/v1/views/:name',
    async serve({ request, response, params: { name = '' }, query }, { source }) {
      sendJson(request, response, await source.view(name, query));
    },
  },
  {
    method: 'POST',
    path: '/v1/commands',
    async serve({ request, response, giver }, { gate }) {
      const answer = await gate.give(await jsonOf(request), giver);
      const status = { applied: 200, waiting: 202, refused: answer.code === 'COMMANDS_OFF' ? 403 : 409 }[answer.state];
      send(response, status, JSON.stringify(answer), { 'Content-Type': 'application/json; charset=utf-8' });
    },
  },
  {
    method: 'GET',
    path: '/v1/commands',
    serve({ request, response, query }, { gate: { desk } }) {
      const limit = Math.min(Math.max(numberIn(query, 'limit') ?? 100, 1), 1_000);
      sendJson(request, response, desk?.audit(limit, query.get('before') ?? undefined) ?? []);
    },
  },
  {
    method: 'GET',
    path: '/v1/commands/known',
    serve: ({ request, response }) => sendJson(request, response, knownCommands),
  },
  {
    method: 'GET',
    path: '/v1/profile.cpuprofile',
    serve({ response, query }, { profile }) {
      if (profile === undefined) throw notFound('profiler here');
      sendFile(response, 'perdure.cpuprofile', profile.cpuProfile(query.get('plan') ?? undefined));
    },
  },
  {
    method: 'GET',
    path: '/v1/profile.trace.json',
    async serve({ response }, { profile }) {
      if (profile === undefined) throw notFound('profiler here');
      sendFile(response, 'perdure.trace.json', await profile.trace());
    },
  },
  { method: 'GET', path: '/v1/socket', isUpgrade: true, serve: needsUpgrade },
  { method: 'GET', path: '/stately', isUpgrade: true, serve: needsUpgrade },
];

/** How long whoever asks for records looks, ms: who asks again meanwhile has missed nothing. */
const LOOKING_MS = 10_000;
const NOBODY: SourceListener = { records: () => {}, committed: () => {} };
const looking = new WeakMap<Source, NodeJS.Timeout>();

/** A source records only while somebody looks. */
function look(source: Source): void {
  if (looking.get(source)?.refresh() !== undefined) return;
  const { unsubscribe } = source.subscribe(NOBODY);
  const end = () => {
    looking.delete(source);
    unsubscribe();
  };
  looking.set(source, setTimeout(end, LOOKING_MS).unref());
}

/** Literal paths before those with names, and longer endings before shorter. */
const MATCHERS = ROUTES.map((route) => ({ route, pattern: patternOf(route.path) })).toSorted(
  (a, b) => Number(a.route.path.includes(':')) - Number(b.route.path.includes(':')),
);

/** What a path asks for. `methods` are those that it could be asked with; `params` is as it was encoded. */
export function routeOf(
  method: string | undefined,
  path: string,
): { readonly route?: Route; readonly params: Record<string, string>; readonly methods: readonly string[] } {
  const asked = method === 'HEAD' ? 'GET' : method;
  const methods: string[] = [];
  for (const { route, pattern } of MATCHERS) {
    const match = pattern.exec(path);
    if (match === null) continue;
    if (route.method === asked) return { route, params: match.groups ?? {}, methods };
    methods.push(route.method);
  }
  return { params: {}, methods };
}

function patternOf(path: string): RegExp {
  const parts = path.split(/(:[a-z]+)/).map((part) => {
    return part.startsWith(':') ? `(?<${part.slice(1)}>[^/]+)` : part.replaceAll('.', '\\.');
  });
  return new RegExp(`^${parts.join('')}$`);
}

/** Throws a failure that is told for what is no UTF-8. */
export function decoded(groups: Record<string, string>): Record<string, string> {
  try {
    return Object.fromEntries(Object.entries(groups).map(([name, text]) => [name, decodeURIComponent(text)]));
  } catch {
    throw new ReplyFailure(400, 'PATH_INVALID', 'The path is not encoded as UTF-8.');
  }
}

function numberIn(query: URLSearchParams, name: string): number | undefined {
  const text = query.get(name);
  if (text === null) return undefined;
  if (/^\d{1,15}$/.test(text)) return Number(text);
  throw new ReplyFailure(400, 'OPTIONS_INVALID', `${name} must be a whole number from 0.`);
}

function chartIn(source: Source, id: string): Chart {
  const chart = source.chart(id);
  if (chart === undefined) throw notFound('such chart');
  return chart;
}

function notFound(what: string): ReplyFailure {
  return new ReplyFailure(404, 'NOT_FOUND', `There is no ${what}.`);
}

function needsUpgrade(): never {
  throw new ReplyFailure(426, 'UPGRADE_REQUIRED', 'This is for WebSockets.');
}

function sendFile(response: ServerResponse, name: string, content: unknown): void {
  const headers = {
    'Content-Type': 'application/json; charset=utf-8',
    'Content-Disposition': `attachment; filename="${name}"`,
  };
  send(response, 200, JSON.stringify(content), headers);
}
