import { Empty } from '../../ui/empty.tsx';

function Plans() {
  return <Empty icon="graph" title="Nothing here yet" />;
}

export const view = { component: Plans };
