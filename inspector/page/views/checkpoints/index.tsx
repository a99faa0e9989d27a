import { Empty } from '../../ui/empty.tsx';

function Checkpoints() {
  return <Empty icon="history" title="Nothing here yet" />;
}

export const view = { component: Checkpoints };
