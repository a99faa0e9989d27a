import { Empty } from '../../ui/empty.tsx';

function Budget() {
  return <Empty icon="budget" title="Nothing here yet" />;
}

export const view = { component: Budget };
