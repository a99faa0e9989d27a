import { Empty } from '../../ui/empty.tsx';

function Actors() {
  return <Empty icon="tree" title="Nothing here yet" />;
}

export const view = { component: Actors };
