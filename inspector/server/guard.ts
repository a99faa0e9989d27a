/**
 * Who may ask. One guard stands before every route and every upgrade, files of the page included; it looks at a request before
 * anything else does, and what it does not know it refuses.
 *
 *   request ──host──> ──origin──> ──authorize / cookie / bearer / ?token=──> Admission
 *                └────────┴──────────────────┴──────────> Refusal, logged without secrets
 *
 * G1  `Host` is there once, and is a literal loopback address or exactly `localhost`, with the port that the request came in by, or
 *     a name that the host app gave. So no name that somebody else's server resolves to this machine is answered.
 * G2  `Origin` is that host or absent, and is there on whatever changes something.
 * G3  Whoever asks for what is of the runtime knows the token, has the cookie that knowing it gave, or is known to the host app. Texts
 *     are compared in constant time.
 * G4  When it cannot tell, it refuses: also when `authorize` throws.
 */
import { createHmac, createHash, randomBytes, timingSafeEqual } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import { messageOf } from '../../errors.ts';
import { isLoopback, normalBasePath, type Admitted, type InspectorOptions } from './options.ts';
import type { RefusalLog } from './refusal-log.ts';

/** What is asked of whoever asks. */
export interface Demand {
  /** `nothing`: it holds only the package's own code. */
  readonly access: 'token' | 'nothing';
  /** It changes something. */
  readonly changes: boolean;
  /** `?token=` in the address will do: where a browser is opened, and where a client cannot send headers. */
  readonly takesQuery: boolean;
}

/** Somebody who may ask. */
export interface Admission {
  readonly isAdmitted: true;
  /** For the audit. */
  readonly by: string;
  /** Whether whoever asks may give commands, where any are taken. */
  readonly commands: boolean;
  /** By what they are known; `none` where nothing is asked. */
  readonly via: 'token' | 'query' | 'cookie' | 'login' | 'none';
}

/** Somebody who may not. */
export interface Refusal {
  readonly isAdmitted: false;
  readonly status: 400 | 401 | 403;
  readonly code: 'HOST_REFUSED' | 'ORIGIN_REFUSED' | 'TOKEN_REQUIRED' | 'TOKEN_WRONG' | 'LOGIN_REFUSED';
  readonly message: string;
}

export type Verdict = Admission | Refusal;

const TOKEN_BYTES = 32;
const TOKEN_HINT = 'Open the link that was printed at the start, or send `Authorization: Bearer <token>`.';

export class Guard {
  /** None where only the host app's login counts. */
  readonly token: string | undefined;
  readonly #session: string | undefined;
  readonly #hosts: ReadonlySet<string>;
  readonly #authorize: InspectorOptions['authorize'];
  readonly #basePath: string;
  readonly #log: RefusalLog;

  constructor(options: Pick<InspectorOptions, 'token' | 'hosts' | 'authorize' | 'basePath'>, log: RefusalLog) {
    const { token, hosts = [], authorize, basePath } = options;
    this.token = token ?? (authorize === undefined ? randomBytes(TOKEN_BYTES).toString('base64url') : undefined);
    // The cookie is not the token, and is the same after a restart with the same token.
    this.#session = this.token && createHmac('sha256', this.token).update('perdure inspector').digest('base64url');
    this.#hosts = new Set(hosts);
    this.#authorize = authorize;
    this.#basePath = normalBasePath(basePath);
    this.#log = log;
  }

  /** Judges a request. Never throws. */
  async judge(request: IncomingMessage, demand: Demand, query: URLSearchParams): Promise<Verdict> {
    const verdict =
      this.#wrongHost(request) ?? wrongOrigin(request, demand) ?? (await this.#identified(request, demand, query));
    if (!verdict.isAdmitted) this.#log.refused(request, verdict);
    return verdict;
  }

  /** The header that lets a browser in that came with the token; undefined where there is none. */
  cookieFor(request: IncomingMessage): string | undefined {
    if (this.#session === undefined) return undefined;
    const secure = isOverHttps(request) ? '; Secure' : '';
    return `${cookieName(request)}=${this.#session}; Path=${this.#basePath}/; HttpOnly; SameSite=Strict${secure}`;
  }

  #wrongHost(request: IncomingMessage): Refusal | undefined {
    if (this.#isOurs(request)) return undefined;
    const message =
      'The Host of this request is not one that this inspector is reached by: localhost or a loopback address with its port, ' +
      'or a name given as `hosts`.';
    return { isAdmitted: false, status: 403, code: 'HOST_REFUSED', message };
  }

  #isOurs(request: IncomingMessage): boolean {
    const { host } = request.headers;
    // Node keeps the first of two, and a proxy before it may have looked at the second.
    const given = request.rawHeaders.filter((text, at) => at % 2 === 0 && text.toLowerCase() === 'host').length;
    if (given !== 1 || host === undefined) return false;
    if (this.#hosts.has(host)) return true;
    const [, name = '', port] = /^([^:[\]]+|\[::1\])(?::(\d{1,5}))?$/.exec(host) ?? [];
    const { localPort } = request.socket;
    const usual = isEncrypted(request) ? '443' : '80';
    if (localPort === undefined || (port ?? usual) !== String(localPort)) return false;
    return this.#hosts.has(name) || isLoopback(name === '[::1]' ? '::1' : name);
  }

  async #identified(request: IncomingMessage, demand: Demand, query: URLSearchParams): Promise<Verdict> {
    if (demand.access === 'nothing') return admission('nobody', false, 'none');
    const known = this.#byToken(request, demand, query);
    if (known?.isAdmitted === true || this.#authorize === undefined) return known ?? tokenRequired();
    return this.#byLogin(request);
  }

  #byToken({ headers }: IncomingMessage, { takesQuery }: Demand, query: URLSearchParams): Verdict | undefined {
    if (this.token === undefined || this.#session === undefined) return undefined;
    const [, bearer] = /^Bearer +(\S+)$/i.exec(headers.authorization ?? '') ?? [];
    const asked = takesQuery ? query.get('token') : null;
    if (bearer !== undefined && isSame(bearer, this.token)) return admission('http', true, 'token');
    if (asked !== null && isSame(asked, this.token)) return admission('page', true, 'query');
    if (sessionsIn(headers.cookie).some((text) => isSame(text, this.#session as string)))
      return admission('page', true, 'cookie');
    if (bearer === undefined && asked === null) return undefined;
    return { isAdmitted: false, status: 401, code: 'TOKEN_WRONG', message: `The token is another one. ${TOKEN_HINT}` };
  }

  async #byLogin(request: IncomingMessage): Promise<Verdict> {
    const message = 'The login of the host app does not let this request in.';
    const refused: Refusal = { isAdmitted: false, status: 401, code: 'LOGIN_REFUSED', message };
    try {
      const answer: unknown = await this.#authorize?.(request);
      if (!isAdmitted(answer)) return refused;
      return admission(`page:${answer.by}`, answer.commands, 'login');
    } catch (error) {
      this.#log.failed('authorize', messageOf(error));
      return refused;
    }
  }
}

function isAdmitted(answer: unknown): answer is Admitted {
  if (typeof answer !== 'object' || answer === null) return false;
  const { by, commands } = answer as Partial<Admitted>;
  return typeof by === 'string' && typeof commands === 'boolean';
}

function admission(by: string, commands: boolean, via: Admission['via']): Admission {
  return { isAdmitted: true, by, commands, via };
}

function tokenRequired(): Refusal {
  const message = `This needs the token of this inspector. ${TOKEN_HINT}`;
  return { isAdmitted: false, status: 401, code: 'TOKEN_REQUIRED', message };
}

/** A page of another origin may make a browser ask; it cannot make it lie about where it comes from. */
function wrongOrigin(request: IncomingMessage, { changes }: Demand): Refusal | undefined {
  const { origin, host } = request.headers;
  const isOurs = origin === undefined ? !changes : origin === `http://${host}` || origin === `https://${host}`;
  if (isOurs) return undefined;
  const message =
    origin === undefined
      ? `What changes something needs an Origin, that of this inspector: send \`Origin: http://${host}\`.`
      : 'The Origin of this request is another one than this inspector.';
  return { isAdmitted: false, status: 403, code: 'ORIGIN_REFUSED', message };
}

export function isEncrypted({ socket }: IncomingMessage): boolean {
  return (socket as Socket & { encrypted?: boolean }).encrypted === true;
}

/** Also behind a proxy: by what a browser says of a page of ours, and not by what anybody else may say of the connection. */
function isOverHttps(request: IncomingMessage): boolean {
  const { host, origin, referer } = request.headers;
  const own = `https://${host}`;
  return isEncrypted(request) || origin === own || referer?.startsWith(`${own}/`) === true;
}

/** Cookies do not know ports: two inspectors of one machine must not take each other's. */
function cookieName({ socket }: IncomingMessage): string {
  return `perdure-${socket.localPort ?? 0}`;
}

/** A browser sends those of outer paths too. */
function sessionsIn(cookies = ''): string[] {
  return [...cookies.matchAll(/(?:^|; *)perdure-\d+=([\w-]+)/g)].map(([, text = '']) => text);
}

/** Says nothing of how much of it is right by how long it takes. */
function isSame(given: string, secret: string): boolean {
  const digest = (text: string) => createHash('sha256').update(text).digest();
  return timingSafeEqual(digest(given), digest(secret));
}
