import { useEffect, useState } from 'preact/hooks';
import type { Approvals } from '../../../views/approvals.ts';
import { Link } from '../../ui/link.tsx';
import { Panel } from '../../ui/panel.tsx';
import { useView } from '../../use-view.ts';
import { ApprovalCard } from '../approvals/card.tsx';
import { decidedIn, useHeld } from '../approvals/use-held.ts';

const SHOWN = 3;

/** What waits for a person, to be decided right here. */
export function Asking({ count }: { readonly count: number }) {
  const [isKept, setKept] = useState(false);
  const { data } = useView<Approvals>(count > 0 || isKept ? 'approvals' : null);
  const { cards, onClickCapture } = useHeld(data?.open ?? []);
  // Until what was decided last was shown.
  useEffect(() => setKept(cards.length > 0), [cards.length > 0]);
  if (cards.length === 0) return null;
  return (
    <Panel
      title={
        count === 0 ? 'Nobody is asked any more' : count === 1 ? 'One action asks you' : `${count} actions ask you`
      }
      icon="person"
      flush
      class="asking-panel"
      actions={<Link view="approvals">All approvals</Link>}
    >
      <div onClickCapture={onClickCapture}>
        {cards.slice(0, SHOWN).map((card) => (
          <ApprovalCard key={card.item.id} approval={card.item} decided={decidedIn(data, card)} isShort />
        ))}
      </div>
    </Panel>
  );
}
