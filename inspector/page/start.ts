/** Finds out whom the page looks at: the server that it came from, or, at `/viewer`, whoever opened or frames it. */
import { effect } from '@preact/signals';
import { knownCommands } from './command.ts';
import { capabilities, feed } from './connection.ts';
import { serverFeed } from './server-feed.ts';

export function start(): void {
  feed.value = serverFeed();
  effect(() => {
    const from = feed.value;
    if (from === null || !capabilities.value.commands) return;
    from.commands().then(
      (commands) => {
        knownCommands.value = commands;
      },
      () => {
        // Commands work without their help; what is given is checked by the server.
      },
    );
  });
}
