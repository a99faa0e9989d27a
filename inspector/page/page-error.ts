/** What went wrong, with the stable code of the server. */
export class PageError extends Error {
  readonly code: string;
  override readonly name = 'PageError';

  constructor(code: string, message: string) {
    super(message);
    this.code = code;
  }
}

/** Any error as one. */
export function pageErrorOf(error: unknown): PageError {
  if (error instanceof PageError) return error;
  return new PageError('UNEXPECTED', error instanceof Error ? error.message : String(error));
}
