import { Empty } from '../../ui/empty.tsx';

function Approvals() {
  return <Empty icon="person" title="Nothing here yet" />;
}

export const view = { component: Approvals };
