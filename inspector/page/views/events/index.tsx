import { Empty } from '../../ui/empty.tsx';

function Events() {
  return <Empty icon="list" title="Nothing here yet" />;
}

export const view = { component: Events };
