import { Empty } from '../../ui/empty.tsx';

function Overview() {
  return <Empty icon="overview" title="Nothing here yet" />;
}

export const view = { component: Overview };
