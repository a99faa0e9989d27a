/** A component that is fetched when it is drawn first, and again while it could not be had: with each new connection, or by hand. */
import { h, type ComponentType } from 'preact';
import { useEffect, useState } from 'preact/hooks';
import { status } from './connection.ts';
import { Empty, Failure } from './ui/empty.tsx';
import { Spinner } from './ui/spinner.tsx';

export interface LazyComponent {
  readonly component: ComponentType;
  /** Fetches it before it is drawn. Rejects when it cannot be had. */
  readonly fetch: () => Promise<void>;
}

export function lazy(load: () => Promise<ComponentType>): LazyComponent {
  let loaded: ComponentType | undefined;
  const fetch = async (): Promise<void> => {
    loaded ??= await load();
  };
  function Lazy() {
    const [, setCount] = useState(0);
    const [hasFailed, setFailed] = useState(false);
    const isConnected = status.value === 'open';
    useEffect(() => {
      if (loaded !== undefined) return;
      let isOver = false;
      setFailed(false);
      fetch().then(
        () => {
          if (!isOver) setCount((count) => count + 1);
        },
        () => {
          if (!isOver) setFailed(true);
        },
      );
      return () => {
        isOver = true;
      };
    }, [isConnected]);
    const again = (): void => {
      fetch().then(
        () => setCount((count) => count + 1),
        // Some browsers remember that a module failed, and a server of another version has others: only a new page helps then.
        () => location.reload(),
      );
    };
    if (loaded !== undefined) return h(loaded, {});
    if (hasFailed && !isConnected) {
      return h(Empty, { icon: 'offline', title: 'This view is loaded when the host is back' });
    }
    if (hasFailed) {
      const message =
        'This view could not be loaded. The host may have another version by now: try again, or reload the page.';
      return h(Failure, { code: 'VIEW_NOT_LOADED', message, onRetry: again });
    }
    return h(Spinner, { label: 'Loading…' });
  }
  return { component: Lazy, fetch };
}
