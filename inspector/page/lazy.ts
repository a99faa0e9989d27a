/** A component that is fetched when it is drawn first. */
import { h, type ComponentType } from 'preact';
import { useEffect, useState } from 'preact/hooks';
import { pageErrorOf, type PageError } from './page-error.ts';
import { Failure } from './ui/empty.tsx';
import { Spinner } from './ui/spinner.tsx';

export function lazy(load: () => Promise<ComponentType>): ComponentType {
  let loaded: ComponentType | undefined;
  return function Lazy() {
    const [, setCount] = useState(0);
    const [error, setError] = useState<PageError>();
    useEffect(() => {
      if (loaded !== undefined) return;
      let isOver = false;
      load().then(
        (component) => {
          loaded = component;
          if (!isOver) setCount(1);
        },
        (reason: unknown) => {
          if (!isOver) setError(pageErrorOf(reason));
        },
      );
      return () => {
        isOver = true;
      };
    }, []);
    if (loaded !== undefined) return h(loaded, {});
    if (error !== undefined)
      return h(Failure, { code: error.code, message: `This part could not be loaded: ${error.message}` });
    return h(Spinner, { label: 'Loading…' });
  };
}
