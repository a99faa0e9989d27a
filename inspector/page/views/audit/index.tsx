import { Empty } from '../../ui/empty.tsx';

function Audit() {
  return <Empty icon="audit" title="Nothing here yet" />;
}

export const view = { component: Audit };
