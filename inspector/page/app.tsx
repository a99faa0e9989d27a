import type { ComponentType } from 'preact';
import { useEffect, useState } from 'preact/hooks';
import { route } from './location.ts';
import { Link } from './ui/link.tsx';
import { VIEWS } from './views/index.ts';

export function App() {
  const spec = VIEWS.find(({ id }) => id === route.value.view) ?? VIEWS[0]!;
  const [loaded, setLoaded] = useState<{ id: string; component: ComponentType }>();
  useEffect(() => {
    void spec.load().then(({ view }) => setLoaded({ id: spec.id, component: view.component }));
  }, [spec.id]);
  const Component = loaded?.id === spec.id ? loaded.component : null;
  return (
    <div class="app">
      <nav>
        {VIEWS.map(({ id, title }) => (
          <Link key={id} view={id}>
            {title}
          </Link>
        ))}
      </nav>
      <main>{Component === null ? null : <Component />}</main>
    </div>
  );
}
