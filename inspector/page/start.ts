/** Finds out whom the page looks at: the server that it came from, or, at `/viewer`, whoever opened or frames it. */
import { effect } from '@preact/signals';
import { knownCommands } from './command.ts';
import { capabilities, feed } from './connection.ts';
import { listenToDrops } from './file-feed.ts';
import { serverFeed } from './server-feed.ts';
import { viewerFeed } from './viewer-feed.ts';

export function start(): void {
  feed.value = isViewer() ? viewerFeed() : serverFeed();
  listenToDrops();
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

/** Whether it is the frame for Stately's own tools, at `/viewer`. */
function isViewer(): boolean {
  return /\/viewer\/?$/.test(location.pathname);
}
