import { Empty } from '../../ui/empty.tsx';

function Profile() {
  return <Empty icon="flame" title="Nothing here yet" />;
}

export const view = { component: Profile };
