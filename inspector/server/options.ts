/** What a host says of its inspector, checked before anything listens. */
import type { IncomingMessage } from 'node:http';
import { isIPv4 } from 'node:net';
import { checkObject, refuse, type Wrong } from '../../actors/action-options.ts';
import { isObject, shown, unknownKey } from '../../machines/option-keys.ts';
import type { CommandDesk } from '../commands/commands.ts';

/** Where refusals and failures are told: the shape of pino and its like. It is never given a secret. */
export interface InspectorLogger {
  info(facts: object, message: string): void;
  warn(facts: object, message: string): void;
}

/** Who somebody is to a host with a login of its own. */
export interface Admitted {
  /** Their name, for the audit. */
  readonly by: string;
  /** Whether they may give commands, where the inspector takes any. */
  readonly commands: boolean;
}

/** Options of `inspectorHandler`. */
export interface InspectorOptions {
  /** Under which path it lies, such as `/inspector`. Default: the root. */
  readonly basePath?: string;
  /** What whoever looks must know; at least 16 characters without white space. Default: a random one for each start. */
  readonly token?: string | undefined;
  /**
   * Names under which it is reached beside the loopback ones, as a browser writes them: `inspector.example.com`, or with a port
   * other than its own `inspector.example.com:8443`.
   */
  readonly hosts?: readonly string[];
  /** Whether commands are taken. Default: false, it is read-only. */
  readonly commands?: boolean;
  /**
   * Asked of each request by a host that has a login of its own; takes the place of the token, unless one is given too. Of a WebSocket
   * it is asked with the request that opened it: then, at each command, and every 30 s.
   */
  readonly authorize?: (request: IncomingMessage) => false | Admitted | Promise<false | Admitted>;
  /** What the page calls this place, such as `production`. */
  readonly badge?: string;
  /** Told of refusals and failures. Default: nobody is. */
  readonly logger?: InspectorLogger;
  /** Carries commands out. Default: the supervisor, or the tree, that is looked at. */
  readonly desk?: CommandDesk;
}

/** Options of `serveInspector`. */
export interface ServeOptions extends InspectorOptions {
  /** Default: 7337, or the next one that is free; one that is given is taken, or it is an error; 0 stands for any. */
  readonly port?: number;
  /** The address to listen at. Default: `127.0.0.1`. Any that is not of this machine alone needs `token`, or `authorize`, and `hosts`. */
  readonly host?: string;
}

const SHORTEST_TOKEN = 16;
const LONGEST_BADGE = 40;

const HANDLER_KEYS = Object.keys({
  basePath: 1,
  token: 1,
  hosts: 1,
  commands: 1,
  authorize: 1,
  badge: 1,
  logger: 1,
  desk: 1,
} satisfies Record<keyof InspectorOptions, 1>);

const SERVER_KEYS = [...HANDLER_KEYS, 'port', 'host'];

/** Throws OPTIONS_INVALID. */
export function checkInspectorOptions(options: unknown): asserts options is InspectorOptions {
  checkObject('The options of the inspector', options);
  refuse('The inspector', unknownKey(options as object, HANDLER_KEYS) ?? wrongIn(options as Given), {});
}

/** Throws OPTIONS_INVALID. */
export function checkServeOptions(options: unknown): asserts options is ServeOptions {
  checkObject('The options of the inspector', options);
  const given = options as Given;
  refuse(
    'The inspector',
    unknownKey(given, SERVER_KEYS) ?? wrongIn(given) ?? wrongPort(given['port']) ?? wrongHost(given),
    {},
  );
}

type Given = Readonly<Record<string, unknown>>;

function wrongIn(given: Given): Wrong {
  const { basePath, token, hosts, commands, authorize, badge, logger, desk } = given;
  return (
    wrongBasePath(basePath) ??
    wrongToken(token) ??
    wrongHosts(hosts) ??
    (commands === undefined || typeof commands === 'boolean'
      ? undefined
      : `commands must be true or false, got ${shown(commands)}`) ??
    (authorize === undefined || typeof authorize === 'function'
      ? undefined
      : `authorize must be a function, got ${shown(authorize)}`) ??
    wrongBadge(badge) ??
    wrongMethods('logger', logger, ['info', 'warn']) ??
    wrongMethods('desk', desk, ['give', 'audit'])
  );
}

function wrongBasePath(path: unknown): Wrong {
  if (path === undefined || path === '/') return undefined;
  const isPath = typeof path === 'string' && /^(?:\/[\w.~-]+)+\/?$/.test(path) && !/\/\.\.?(?:\/|$)/.test(path);
  return isPath ? undefined : `basePath must be a path such as "/inspector", got ${shown(path)}`;
}

function wrongToken(token: unknown): Wrong {
  if (token === undefined) return undefined;
  const isToken = typeof token === 'string' && token.length >= SHORTEST_TOKEN && /^[\x21-\x7e]{1,512}$/.test(token);
  // What came may be a secret all the same.
  return isToken
    ? undefined
    : `token must be a text of ${SHORTEST_TOKEN} to 512 ASCII characters without white space, got ${kindOf(token)}`;
}

function kindOf(token: unknown): string {
  return typeof token === 'string' ? `one of ${token.length} characters that is not` : `a ${typeof token}`;
}

/** A name, or an address, as it stands in a URL. */
const HOST_NAME = /^(?:\[[0-9a-f:.]+\]|[a-z0-9](?:[a-z0-9.-]*[a-z0-9])?)(?::\d{1,5})?$/;

function wrongHosts(hosts: unknown): Wrong {
  if (hosts === undefined) return undefined;
  if (!Array.isArray(hosts))
    return `hosts must be a list of names such as ["inspector.example.com"], got ${shown(hosts)}`;
  const stranger: unknown = hosts.find((host) => typeof host !== 'string' || !HOST_NAME.test(host));
  if (stranger === undefined && !hosts.includes(undefined)) return undefined;
  return `hosts must be names in lower case, with a port or without, such as "inspector.example.com", got ${shown(stranger)}`;
}

function wrongBadge(badge: unknown): Wrong {
  const isBadge = typeof badge === 'string' && badge.length <= LONGEST_BADGE;
  return badge === undefined || isBadge
    ? undefined
    : `badge must be a text of at most ${LONGEST_BADGE} characters, got ${shown(badge)}`;
}

function wrongMethods(name: string, value: unknown, methods: readonly string[]): Wrong {
  if (value === undefined) return undefined;
  const has = (method: string) => typeof (value as Given | null)?.[method] === 'function';
  if (typeof value === 'object' && value !== null && methods.every(has)) return undefined;
  return `${name} must have the methods ${methods.join(' and ')}, got ${shown(value)}`;
}

function wrongPort(port: unknown): Wrong {
  const isPort = Number.isInteger(port) && (port as number) >= 0 && (port as number) <= 65_535;
  return port === undefined || isPort ? undefined : `port must be a whole number from 0 to 65535, got ${shown(port)}`;
}

/** Whoever can reach another address is not on this machine: then nothing is taken for granted. */
function wrongHost({ host, token, authorize, hosts }: Given): Wrong {
  if (host === undefined) return undefined;
  if (typeof host !== 'string' || host === '') return `host must be an address such as "127.0.0.1", got ${shown(host)}`;
  if (isLoopback(host)) return undefined;
  const missing = [
    ...(token === undefined && authorize === undefined ? ['token'] : []),
    ...(Array.isArray(hosts) && hosts.length > 0 ? [] : ['hosts']),
  ];
  if (missing.length === 0) return undefined;
  return (
    `listens at ${shown(host)}, which others can reach, and then needs ${missing.join(' and ')}: a token of your own, and the ` +
    'names under which it is reached'
  );
}

/** Whether an address, without brackets, is one that only this machine reaches. */
export function isLoopback(address: string): boolean {
  return address === 'localhost' || address === '::1' || (isIPv4(address) && address.startsWith('127.'));
}

/** A path with a slash before and none behind; the empty text for the root. */
export function normalBasePath(basePath = ''): string {
  return basePath.replace(/\/$/, '');
}

/** What may be said for `inspector` of a supervisor. */
export interface SupervisedInspectorOptions extends ServeOptions {
  /** Told the address with the token, once. Default: it is written to stderr, for whoever started the process. */
  readonly announce?: (url: string) => void;
}

/** What was given for `inspector` of a supervisor, checked; undefined when there is to be none. Throws OPTIONS_INVALID. */
export function inspectorSetting(setting: unknown): SupervisedInspectorOptions | undefined {
  if (setting === undefined || setting === false) return undefined;
  if (setting === true) return {};
  if (!isObject(setting)) refuse('inspector', `must be true, false, or its options, got ${shown(setting)}`, {});
  const { announce, ...rest } = setting as Given;
  const isFunction = announce === undefined || typeof announce === 'function';
  refuse('The inspector', isFunction ? undefined : `announce must be a function, got ${shown(announce)}`, {});
  checkServeOptions(rest);
  return setting as SupervisedInspectorOptions;
}
