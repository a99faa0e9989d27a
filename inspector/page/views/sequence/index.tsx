import { Empty } from '../../ui/empty.tsx';

function Sequence() {
  return <Empty icon="sequence" title="Nothing here yet" />;
}

export const view = { component: Sequence };
