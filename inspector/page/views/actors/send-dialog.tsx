/** Sends an event to an actor, by a form made of what the actor's machine says of the event. */
import { useState } from 'preact/hooks';
import type { ActorDetail } from '../../../protocol.ts';
import { canCommand, give } from '../../command.ts';
import { Button } from '../../ui/button.tsx';
import { Dialog } from '../../ui/dialog.tsx';
import { Form } from '../../ui/form.tsx';
import { Icon } from '../../ui/icon.tsx';
import { Search } from '../../ui/search.tsx';

export interface SendDialogProps {
  readonly actor: ActorDetail;
  /** The type of the event; with a `*` in it, or empty, the type is asked for too. */
  readonly type: string;
  readonly onClose: () => void;
}

export function SendDialog({ actor, type: asked, onClose }: SendDialogProps) {
  const [type, setType] = useState(asked.replace(/\*$/, ''));
  const isTypeOpen = asked === '' || asked.includes('*');
  const accepted = actor.accepts.find((one) => one.type === type);
  const send = async (values: Record<string, unknown>): Promise<void> => {
    const answer = await give('send', { actor: actor.id, event: { ...values, type } }, { confirm: false });
    if (answer.state !== 'refused') onClose();
  };
  return (
    <Dialog title={isTypeOpen ? 'Send an event' : `Send ${type}`} size="medium" onClose={onClose}>
      <p class="send-to">
        to <code>{actor.id}</code>
      </p>
      {canCommand.value ? null : (
        <p class="send-note tone-retrying" role="note">
          This inspector is read-only. Start it with <code>commands: true</code>, or <code>--commands</code>, to send
          events.
        </p>
      )}
      {canCommand.value && actor.status !== 'active' ? (
        <p class="send-note tone-retrying" role="note">
          The actor is {actor.status}: it takes no events any more.
        </p>
      ) : null}
      {canCommand.value && actor.status === 'active' && !isTypeOpen && accepted === undefined ? (
        <p class="send-note tone-waiting" role="note">
          In its present state the actor does not take this event.
        </p>
      ) : null}
      {isTypeOpen ? (
        <div class="field">
          <label for="send-type">type</label>
          <input
            id="send-type"
            type="text"
            list="send-types"
            autocomplete="off"
            spellcheck={false}
            value={type}
            onInput={(event) => setType(event.currentTarget.value.trim())}
          />
          <datalist id="send-types">
            {actor.accepts
              .filter((one) => !one.type.includes('*'))
              .map((one) => (
                <option key={one.type} value={one.type} />
              ))}
          </datalist>
        </div>
      ) : null}
      <Form
        key={type}
        schema={accepted?.schema}
        submit="Send"
        onSubmit={send}
        onCancel={onClose}
        disabled={!canCommand.value || type === '' || type.includes('*')}
      />
    </Dialog>
  );
}

/** Events above which they can be searched. */
const MANY = 12;

/** The events that an actor takes now, as buttons: what the chart says, for who cannot see it. */
export function TakesNow({ actor, onSend }: { readonly actor: ActorDetail; readonly onSend: (type: string) => void }) {
  const [text, setText] = useState('');
  const shown = actor.accepts.filter(({ type }) => type.toLowerCase().includes(text.toLowerCase()));
  return (
    <section class="takes" aria-label="Events it takes now">
      <h3>Takes now</h3>
      {actor.accepts.length > MANY ? (
        <Search value={text} onInput={setText} label="Search these events" placeholder="Event" />
      ) : null}
      {actor.accepts.length === 0 ? (
        <p class="faint">{actor.status === 'active' ? 'No event from outside.' : `Nothing: it is ${actor.status}.`}</p>
      ) : (
        <ul>
          {shown.map(({ type }) => (
            <li key={type}>
              <button
                type="button"
                class="takes-event"
                title={type.includes('*') ? 'Send an event of a type that you choose' : `Send ${type}`}
                onClick={() => onSend(type)}
              >
                <Icon name="bolt" size={14} />
                {type === '*' ? 'any other event…' : type}
              </button>
            </li>
          ))}
        </ul>
      )}
      {actor.isInternal ? (
        <p class="faint">
          {actor.accepts.length === 0 ? 'Its events' : 'Its other events'} are Perdure’s own: the commands do what they
          do.
        </p>
      ) : canCommand.value && actor.status === 'active' ? (
        <Button small kind="quiet" icon="send" onClick={() => onSend('')}>
          Other event
        </Button>
      ) : null}
    </section>
  );
}
