/** What an error means: the end of the store for now, or of the one turn that it came from. */
import { PerdureError, isPerdureError, messageOf } from '../errors.ts';
import { isStoreFailure, sqliteError } from './sqlite.ts';

/** A failure of the store is the end of it; everything else condemns the one turn that it came from. */
export function verdictOn(error: unknown, path: string): PerdureError {
  if (isPerdureError(error)) return error;
  if (isStoreFailure(error)) return sqliteError(error, path);
  return new PerdureError('TURN_REFUSED', `The turn could not be stored: ${messageOf(error)}`, { cause: error });
}

/** Whether the error condemns one turn and not the store. */
export function isRefusal({ code }: PerdureError): boolean {
  return !code.startsWith('STORE_');
}

const PASSING = new Set(['STORE_FAILED', 'STORE_READ_ONLY', 'STORE_UNOPENABLE']);

/** Whether the disk may become well again; a store that is damaged or somebody else's does not. */
export function mayPass({ code }: PerdureError): boolean {
  return PASSING.has(code);
}
