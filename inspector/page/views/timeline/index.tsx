import { Empty } from '../../ui/empty.tsx';

function Timeline() {
  return <Empty icon="timeline" title="Nothing here yet" />;
}

export const view = { component: Timeline };
