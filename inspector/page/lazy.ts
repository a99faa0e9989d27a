/** A component that is fetched when it is drawn first, and again while it could not be had: with each new connection, or by hand. */
import { h, type ComponentType } from 'preact';
import { useEffect, useState } from 'preact/hooks';
import { status } from './connection.ts';
import { pageErrorOf, type PageError } from './page-error.ts';
import { Failure } from './ui/empty.tsx';
import { Spinner } from './ui/spinner.tsx';

export function lazy(load: () => Promise<ComponentType>): ComponentType {
  let loaded: ComponentType | undefined;
  return function Lazy() {
    const [, setCount] = useState(0);
    const [error, setError] = useState<PageError>();
    const isConnected = status.value === 'open';
    useEffect(() => {
      if (loaded !== undefined) return;
      let isOver = false;
      load().then(
        (component) => {
          loaded = component;
          if (!isOver) setCount((count) => count + 1);
        },
        (reason: unknown) => {
          if (!isOver) setError(pageErrorOf(reason));
        },
      );
      return () => {
        isOver = true;
      };
    }, [isConnected]);
    const again = (): void => {
      load().then(
        (component) => {
          loaded = component;
          setCount((count) => count + 1);
        },
        // Some browsers remember that a module failed, and a server of another version has others: only a new page helps then.
        () => location.reload(),
      );
    };
    if (loaded !== undefined) return h(loaded, {});
    if (error !== undefined) {
      const message = `This part could not be loaded: ${error.message}`;
      return h(Failure, { code: error.code, message, onRetry: again });
    }
    return h(Spinner, { label: 'Loading…' });
  };
}
