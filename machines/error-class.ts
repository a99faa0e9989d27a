/**
 * What kind of failure an error is: by its type, its `code` and its HTTP status, never by words of its message. Whoever
 * knows more of their own errors says so with a `classify` of their own.
 *
 *   transient   may be over soon: connection reset, database locked; also whatever nothing is known of
 *   throttled   the other side asks for fewer calls; its Retry-After is kept
 *   timeout     took too long, here or there
 *   resource    something here is used up: memory, disk, file descriptors
 *   permanent   the same call will fail again: not found, forbidden, invalid
 *   programmer  the code is wrong: TypeError, failed assertion
 *   cancelled   somebody wanted it to end
 */
export const ERROR_CLASSES = [
  'transient',
  'throttled',
  'timeout',
  'resource',
  'permanent',
  'programmer',
  'cancelled',
] as const;

export type ErrorClass = (typeof ERROR_CLASSES)[number];

/** Says of what class an error is; undefined leaves it to {@link classify}. */
export type Classifier = (error: unknown) => ErrorClass | undefined;

/** Codes of libuv, Node, undici, SQLite and Perdure, as words. */
const CODES: Readonly<Record<Exclude<ErrorClass, 'throttled'>, string>> = {
  transient: `
    ECONNRESET ECONNREFUSED ECONNABORTED EPIPE ENOTFOUND EAI_AGAIN ENETDOWN ENETRESET ENETUNREACH EHOSTDOWN
    EHOSTUNREACH EAGAIN EBUSY EINTR EIO ESTALE ETXTBSY SQLITE_BUSY SQLITE_LOCKED UND_ERR_SOCKET UND_ERR_CLOSED
    UND_ERR_DESTROYED ERR_STREAM_PREMATURE_CLOSE ERR_HTTP2_STREAM_ERROR ERR_HTTP2_SESSION_ERROR COMMAND_FAILED
    THREAD_EXITED THREAD_QUARANTINED`,
  timeout: `
    ETIMEDOUT ETIME ESOCKETTIMEDOUT TIMEOUT TIMEOUT_ERR ERR_SOCKET_CONNECTION_TIMEOUT UND_ERR_CONNECT_TIMEOUT
    UND_ERR_HEADERS_TIMEOUT UND_ERR_BODY_TIMEOUT ATTEMPT_TIMED_OUT DEADLINE_EXCEEDED
    HEARTBEAT_MISSED`,
  resource: `
    ENOMEM ENOSPC EDQUOT EMFILE ENFILE ENOBUFS EFBIG ENOLCK SQLITE_FULL SQLITE_NOMEM SQLITE_TOOBIG
    ERR_WORKER_OUT_OF_MEMORY THREAD_OUT_OF_MEMORY THREAD_UNAVAILABLE`,
  permanent: `
    ENOENT EACCES EPERM EEXIST ENOTDIR EISDIR ENOTEMPTY ELOOP ENAMETOOLONG EROFS EXDEV ENODEV EINVAL ENOTSUP EBADF
    CERT_HAS_EXPIRED DEPTH_ZERO_SELF_SIGNED_CERT ERR_TLS_CERT_ALTNAME_INVALID SELF_SIGNED_CERT_IN_CHAIN
    UNABLE_TO_VERIFY_LEAF_SIGNATURE VERIFY_FAILED ATTEMPT_INTERRUPTED SQLITE_CONSTRAINT SQLITE_READONLY SQLITE_PERM SQLITE_AUTH
    SQLITE_NOTADB SQLITE_CORRUPT`,
  programmer: `
    ERR_ASSERTION ERR_INVALID_ARG_TYPE ERR_INVALID_ARG_VALUE ERR_OUT_OF_RANGE ERR_INVALID_URL ERR_MODULE_NOT_FOUND
    MODULE_NOT_FOUND ERR_MISSING_ARGS SQLITE_MISUSE SQLITE_RANGE SQLITE_ERROR CODEC_REFUSED MODULE_UNLOADABLE
    NOT_PROVIDED OPTIONS_INVALID`,
  cancelled: `
    ABORT_ERR ABORTED ECANCELED UND_ERR_ABORTED`,
};

const CLASS_OF_CODE: ReadonlyMap<string, ErrorClass> = new Map(
  Object.entries(CODES).flatMap(([kind, codes]) =>
    codes
      .trim()
      .split(/\s+/)
      .map((code) => [code, kind as ErrorClass] as const),
  ),
);

const CLASS_OF_NAME: ReadonlyMap<string, ErrorClass> = new Map([
  ['AbortError', 'cancelled'],
  ['TimeoutError', 'timeout'],
  ['TypeError', 'programmer'],
  ['ReferenceError', 'programmer'],
  ['SyntaxError', 'programmer'],
  ['RangeError', 'programmer'],
  ['EvalError', 'programmer'],
  ['URIError', 'programmer'],
  ['AssertionError', 'programmer'],
]);

/** How far causes are followed: one that points back to itself has no end. */
const DEEPEST_CAUSE = 8;

/**
 * The class of anything that was thrown. The first of the error and its causes that has a code or a status that is known
 * decides, and only then its name: `fetch` throws a TypeError whose cause says that the connection was refused.
 */
export function classify(error: unknown, extend?: Classifier): ErrorClass {
  return extended(error, extend) ?? byFacts(error) ?? byName(error) ?? 'transient';
}

/**
 * What `extend` says, if it is a class. What it throws itself comes out of `classify`: `recordOf` in actors/error-record.ts, which
 * calls a host's, lets none out and tells of it in a warning.
 */
function extended(error: unknown, extend: Classifier | undefined): ErrorClass | undefined {
  const said = extend?.(error);
  return ERROR_CLASSES.find((known) => known === said);
}

function byFacts(error: unknown): ErrorClass | undefined {
  for (const one of chainOf(error)) {
    const found = classOfCode(field(one, 'code')) ?? classOfStatus(statusOf(one));
    if (found !== undefined) return found;
  }
  return undefined;
}

function byName(error: unknown): ErrorClass | undefined {
  for (const one of chainOf(error)) {
    const name = field(one, 'name');
    const found = typeof name === 'string' ? CLASS_OF_NAME.get(name) : undefined;
    if (found !== undefined) return found;
  }
  return undefined;
}

function classOfCode(code: unknown): ErrorClass | undefined {
  if (typeof code !== 'string') return undefined;
  // SQLite's extended codes begin with the primary one.
  const primary = /^SQLITE_[A-Z]+/.exec(code)?.[0];
  return CLASS_OF_CODE.get(code) ?? (primary === undefined ? undefined : CLASS_OF_CODE.get(primary));
}

/** RFC 9110 and RFC 6585 say what each status means. */
export function classOfStatus(status: number | undefined): ErrorClass | undefined {
  if (status === undefined || status < 400 || status > 599) return undefined;
  if (status === 408 || status === 504) return 'timeout';
  if (status === 429) return 'throttled';
  if (status === 507) return 'resource';
  if (status === 501 || status === 505) return 'permanent';
  // 425: too early; 423 and 409: somebody else is at it.
  if (status >= 500 || status === 425 || status === 423 || status === 409) return 'transient';
  return 'permanent';
}

/** Whether another attempt can help; what the error itself says of that goes first. */
export function isRetryable(kind: ErrorClass, said?: boolean): boolean {
  return said ?? (kind === 'transient' || kind === 'throttled' || kind === 'timeout' || kind === 'resource');
}

function statusOf(error: unknown): number | undefined {
  const candidates = [field(error, 'status'), field(error, 'statusCode'), field(field(error, 'response'), 'status')];
  return candidates.find((status) => typeof status === 'number');
}

/** The error, its causes, and the errors that it gathers, nearest first. */
export function chainOf(error: unknown): unknown[] {
  const found: unknown[] = [];
  const queue: unknown[] = [error];
  while (queue.length > 0 && found.length < DEEPEST_CAUSE) {
    const one = queue.shift();
    if (typeof one !== 'object' || one === null || found.includes(one)) continue;
    found.push(one);
    const gathered = field(one, 'errors');
    queue.push(
      field(one, 'cause'),
      ...(Array.isArray(gathered) ? (gathered as unknown[]).slice(0, DEEPEST_CAUSE) : []),
    );
  }
  return found;
}

/** A field of something that may be anything, also something whose getters throw. */
export function field(value: unknown, name: string): unknown {
  try {
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>)[name] : undefined;
  } catch {
    return undefined;
  }
}
