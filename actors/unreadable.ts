/** What is shown of stored texts that were damaged: one row that cannot be read hides no other. */

/** What stands for a text that cannot be read. */
export const UNREADABLE = '[unreadable]';

/** What is read of a stored text, or `instead` where it was damaged. `read` must ask the store for nothing more. */
export function readable<T, U>(read: () => T, instead: U): T | U {
  try {
    return read();
  } catch {
    // Whatever it throws, the row says something that nobody wrote.
    return instead;
  }
}
