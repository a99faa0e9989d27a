import { Empty } from '../../ui/empty.tsx';

function DeadLetters() {
  return <Empty icon="dead" title="Nothing here yet" />;
}

export const view = { component: DeadLetters };
