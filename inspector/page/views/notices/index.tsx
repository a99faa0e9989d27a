import { Empty } from '../../ui/empty.tsx';

function Notices() {
  return <Empty icon="notice" title="Nothing here yet" />;
}

export const view = { component: Notices };
