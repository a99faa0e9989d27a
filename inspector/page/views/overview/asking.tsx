import type { Approvals } from '../../../views/approvals.ts';
import { Link } from '../../ui/link.tsx';
import { Panel } from '../../ui/panel.tsx';
import { useView } from '../../use-view.ts';
import { ApprovalCard } from '../approvals/card.tsx';

const SHOWN = 3;

/** What waits for a person, to be decided right here. */
export function Asking({ count }: { readonly count: number }) {
  const { data } = useView<Approvals>('approvals');
  const open = data?.open ?? [];
  if (open.length === 0) return null;
  return (
    <Panel
      title={count === 1 ? 'One action asks you' : `${count} actions ask you`}
      icon="person"
      flush
      class="asking-panel"
      actions={<Link view="approvals">All approvals</Link>}
    >
      {open.slice(0, SHOWN).map((approval) => (
        <ApprovalCard key={approval.id} approval={approval} isShort />
      ))}
    </Panel>
  );
}
