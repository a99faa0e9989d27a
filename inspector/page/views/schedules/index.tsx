import { Empty } from '../../ui/empty.tsx';

function Schedules() {
  return <Empty icon="calendar" title="Nothing here yet" />;
}

export const view = { component: Schedules };
