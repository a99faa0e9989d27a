import { useRef, useState } from 'preact/hooks';
import type { Approvals } from '../../../views/approvals.ts';
import { canCommand, give } from '../../command.ts';
import { Badge, StateBadge } from '../../ui/badge.tsx';
import { Button } from '../../ui/button.tsx';
import { JsonTree } from '../../ui/json-tree.tsx';
import { ActionLink } from '../../ui/link.tsx';
import { Countdown, Time } from '../../ui/time.tsx';
import { riskWords } from './risk-words.ts';
import './approvals.css';

type Open = Approvals['open'][number];

/** Notes that are typed and not given yet, by the approval: whoever looks elsewhere and comes back goes on. */
const drafts = new Map<string, string>();

const REASONS: Readonly<Record<string, string>> = {
  gate: 'needs approval before it runs',
  quality: 'its result may not be good enough',
  restore: 'it was restored from a checkpoint',
};

const SILENCE: Readonly<Record<string, string>> = { approve: 'approved', deny: 'denied' };

const DECIDED = { approve: 'approved', deny: 'denied' } as const;

export interface ApprovalCardProps {
  readonly approval: Open;
  /** What became of it, once it is not open any more: then nothing can be pressed. */
  readonly decided: string | null;
  readonly isShort?: boolean;
}

/** What is asked, with what somebody needs to decide, and the buttons to do it; then for a while what was decided. */
export function ApprovalCard({ approval, decided, isShort = false }: ApprovalCardProps) {
  const box = useRef<HTMLElement>(null);
  const [note, setNote] = useState(() => drafts.get(approval.id) ?? '');
  const draft = (text: string): void => {
    setNote(text);
    if (text === '') drafts.delete(approval.id);
    else drafts.set(approval.id, text);
  };
  const [busy, setBusy] = useState<'approve' | 'deny' | null>(null);
  const [said, setSaid] = useState<'approved' | 'denied' | null>(null);
  const decide = async (decision: 'approve' | 'deny', { detail }: MouseEvent): Promise<void> => {
    setBusy(decision);
    const { state } = await give(
      decision,
      { id: approval.id, ...(note.trim() === '' ? {} : { note: note.trim() }) },
      { confirm: false },
    );
    setBusy(null);
    if (state === 'refused') return;
    drafts.delete(approval.id);
    setSaid(DECIDED[decision]);
    // What is scrolled slides away under a pointer; the keyboard's clicks have none.
    passKeyboardOn(box.current, detail === 0);
  };
  const outcome = said ?? decided;
  return (
    <article
      ref={box}
      class={`approval ${outcome === null ? '' : 'is-decided'}`}
      aria-label={approval.summary}
      data-item
      tabIndex={-1}
    >
      <div class="approval-head">
        <div class="grow">
          <h3 class="approval-summary">{approval.summary}</h3>
          <p class="approval-facts">
            <ActionLink id={approval.action} name={approval.name} />
            <span>
              asked <Time at={approval.askedAt} />
            </span>
            <span>{REASONS[approval.reason] ?? approval.reason}</span>
            {approval.expiresAt === null ? null : (
              <span>
                {SILENCE[approval.onSilence] ?? 'expires'} <Countdown to={approval.expiresAt} /> if nobody answers
              </span>
            )}
          </p>
        </div>
        <Badge tone={approval.undo === null ? 'failed' : 'waiting'} icon={approval.undo === null ? 'lock' : 'retry'}>
          {approval.undo === null ? 'cannot be undone' : 'can be undone'}
        </Badge>
      </div>
      {isShort ? null : <Facts approval={approval} />}
      {canCommand.value ? (
        // No form: Enter in the note decides nothing.
        <div class="approval-decide">
          <input
            class="select grow"
            type="text"
            aria-label="Note"
            placeholder="Note, if you like"
            maxLength={2_000}
            value={note}
            disabled={outcome !== null}
            onInput={(event) => draft(event.currentTarget.value)}
          />
          <span class="approval-buttons">
            <Button
              kind="danger"
              gives
              icon="cross"
              busy={busy === 'deny'}
              disabled={busy !== null || outcome !== null}
              onClick={(event) => void decide('deny', event)}
            >
              Deny
            </Button>
            <Button
              kind="primary"
              gives
              icon="check"
              busy={busy === 'approve'}
              disabled={busy !== null || outcome !== null}
              onClick={(event) => void decide('approve', event)}
            >
              Approve
            </Button>
            {outcome === null ? null : (
              <span class="approval-outcome">
                <StateBadge state={outcome} />
              </span>
            )}
          </span>
        </div>
      ) : null}
    </article>
  );
}

/** Whoever decided goes on with the next card; where none is left, with the title of the view. */
function passKeyboardOn(card: HTMLElement | null, isScrolled: boolean): void {
  const now = document.activeElement;
  // A button that works is disabled, and so has lost the keyboard to nobody already.
  if (card === null || (now !== null && now !== document.body && !card.contains(now))) return;
  const cards = [...(card.parentElement?.querySelectorAll<HTMLElement>('.approval') ?? [])];
  const open = (one: HTMLElement) => one !== card && !one.classList.contains('is-decided');
  const next = cards.slice(cards.indexOf(card)).find(open) ?? cards.findLast(open);
  (next ?? document.querySelector<HTMLElement>('h1'))?.focus({ preventScroll: true });
  if (isScrolled) next?.scrollIntoView({ block: 'nearest' });
}

function Facts({ approval }: { readonly approval: Open }) {
  const { label, value, factors } = riskWords(approval);
  return (
    <div class="approval-more">
      <dl class="approval-score">
        <dt>{label}</dt>
        <dd class="number">{value}</dd>
        {factors.length === 0 ? null : (
          <>
            <dt>Because of</dt>
            <dd title="Below 0 speaks against it, above 0 for it">
              {factors.map((factor) => (
                <div key={factor} class="number">
                  {factor}
                </div>
              ))}
            </dd>
          </>
        )}
        <dt>Undo</dt>
        <dd>{approval.undo ?? 'Nothing undoes it.'}</dd>
      </dl>
      <div class="grow">
        <h4>Input</h4>
        <JsonTree value={approval.input} label="Input of the action" />
      </div>
    </div>
  );
}
