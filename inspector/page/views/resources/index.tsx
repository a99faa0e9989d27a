import { Empty } from '../../ui/empty.tsx';

function Resources() {
  return <Empty icon="gauge" title="Nothing here yet" />;
}

export const view = { component: Resources };
