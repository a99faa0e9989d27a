import { useState } from 'preact/hooks';
import type { Approvals } from '../../../views/approvals.ts';
import { canCommand, give } from '../../command.ts';
import { bandText, percentText } from '../../format.ts';
import { Badge } from '../../ui/badge.tsx';
import { Button } from '../../ui/button.tsx';
import { JsonTree } from '../../ui/json-tree.tsx';
import { ActionLink } from '../../ui/link.tsx';
import { Countdown, Time } from '../../ui/time.tsx';
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

/** What is asked, with what somebody needs to decide, and the buttons to do it. */
export function ApprovalCard({ approval, isShort = false }: { readonly approval: Open; readonly isShort?: boolean }) {
  const [note, setNote] = useState(() => drafts.get(approval.id) ?? '');
  const draft = (text: string): void => {
    setNote(text);
    if (text === '') drafts.delete(approval.id);
    else drafts.set(approval.id, text);
  };
  const [busy, setBusy] = useState<'approve' | 'deny' | null>(null);
  const decide = async (decision: 'approve' | 'deny'): Promise<void> => {
    setBusy(decision);
    const { state } = await give(
      decision,
      { id: approval.id, ...(note.trim() === '' ? {} : { note: note.trim() }) },
      { confirm: false },
    );
    if (state !== 'refused') drafts.delete(approval.id);
    setBusy(null);
  };
  return (
    <article
      class="approval"
      aria-label={approval.summary}
      data-item={isShort ? undefined : true}
      tabIndex={isShort ? undefined : -1}
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
        <form
          class="approval-decide"
          onSubmit={(event) => {
            event.preventDefault();
            void decide('approve');
          }}
        >
          <input
            class="select grow"
            type="text"
            aria-label="Note"
            placeholder="Note, if you like"
            maxLength={2_000}
            value={note}
            onInput={(event) => draft(event.currentTarget.value)}
          />
          <span class="approval-buttons">
            <Button
              kind="danger"
              gives
              icon="cross"
              busy={busy === 'deny'}
              disabled={busy !== null}
              onClick={() => void decide('deny')}
            >
              Deny
            </Button>
            <Button kind="primary" gives icon="check" type="submit" busy={busy === 'approve'} disabled={busy !== null}>
              Approve
            </Button>
          </span>
        </form>
      ) : null}
    </article>
  );
}

function Facts({ approval }: { readonly approval: Open }) {
  return (
    <div class="approval-more">
      <dl class="approval-score">
        <dt>Risk</dt>
        <dd class="number">
          {percentText(approval.risk.score)} <span class="faint">({bandText(approval.risk.band)})</span>
        </dd>
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
