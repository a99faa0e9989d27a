/**
 * Where every request and every upgrade comes in, also before there is anything to be seen: what is asked is found, and the guard
 * judges whoever asks it. Nothing is answered before; what is asked is not even decoded.
 */
import type { IncomingMessage } from 'node:http';
import { Guard, type Admission, type Demand, type Verdict } from './guard.ts';
import { normalBasePath, type InspectorOptions } from './options.ts';
import { RefusalLog } from './refusal-log.ts';
import { ReplyFailure } from './reply.ts';
import { decoded, routeOf, type Route } from './routes.ts';

export interface Asked {
  /** Under the base path: begins with a slash, or is empty. */
  readonly path: string;
  readonly query: URLSearchParams;
}

/** What somebody asks who may. */
export interface Entry extends Asked {
  /** Undefined where there is nothing. */
  readonly route: Route | undefined;
  readonly params: Readonly<Record<string, string>>;
  /** Those that the path could be asked with. */
  readonly methods: readonly string[];
  readonly verdict: Admission;
}

export class Door {
  readonly basePath: string;
  readonly guard: Guard;
  readonly log: RefusalLog;
  readonly #known: (request: IncomingMessage) => void;

  /** @param known told of each request of somebody whom the guard knows. */
  constructor(options: InspectorOptions, known: (request: IncomingMessage) => void = () => {}) {
    this.basePath = normalBasePath(options.basePath);
    this.log = new RefusalLog(options.logger);
    this.guard = new Guard(options, this.log);
    this.#known = known;
  }

  /** Rejects with a failure that is told to whoever may not ask. */
  async letIn(request: IncomingMessage): Promise<Entry> {
    const { path, query } = askedOf(request, this.basePath) ?? { path: '?', query: new URLSearchParams() };
    const { route, params, methods } = routeOf(request.method, path === '' ? '/' : path);
    const verdict = this.#admitted(request, await this.guard.judge(request, demandOf(request, route), query));
    return { path, query, route, params: decoded(params), methods, verdict };
  }

  /** The same of an upgrade. */
  async letUp(request: IncomingMessage, { path, query }: Asked): Promise<Pick<Entry, 'route' | 'verdict'>> {
    const { route } = routeOf(request.method, path);
    const demand = { access: 'token', changes: false, takesQuery: true } as const;
    return { route, verdict: this.#admitted(request, await this.guard.judge(request, demand, query)) };
  }

  #admitted(request: IncomingMessage, verdict: Verdict): Admission {
    if (!verdict.isAdmitted) throw new ReplyFailure(verdict.status, verdict.code, verdict.message);
    if (verdict.via !== 'none') this.#known(request);
    return verdict;
  }
}

/** What is asked under a base path; undefined for what lies elsewhere. Frameworks that mount cut `url`, and keep the whole. */
export function askedOf(
  request: IncomingMessage & { readonly originalUrl?: string },
  basePath: string,
): Asked | undefined {
  const { url = '', originalUrl = url } = request;
  for (const whole of basePath === '' ? [url] : [originalUrl, url]) {
    const at = whole.indexOf('?');
    const path = at === -1 ? whole : whole.slice(0, at);
    if (!path.startsWith('/')) continue;
    if (path !== basePath && !path.startsWith(`${basePath}/`)) continue;
    return { path: path.slice(basePath.length), query: new URLSearchParams(at === -1 ? '' : whole.slice(at + 1)) };
  }
  return undefined;
}

function demandOf({ method }: IncomingMessage, route: Route | undefined): Demand {
  return {
    access: route?.access ?? 'token',
    changes: method !== 'GET' && method !== 'HEAD',
    takesQuery: route?.path === '/',
  };
}
