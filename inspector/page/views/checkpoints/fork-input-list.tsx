import { useState } from 'preact/hooks';
import type { PastWorkItem } from '../../../views/past-work.ts';
import { plural } from '../../format.ts';
import { Badge, StateBadge } from '../../ui/badge.tsx';
import { Button } from '../../ui/button.tsx';
import { Empty } from '../../ui/empty.tsx';
import { Icon } from '../../ui/icon.tsx';
import { JsonDiff } from '../../ui/json-diff.tsx';
import { Search } from '../../ui/search.tsx';
import { inputText, readInput } from './fork-edits.ts';

export interface ForkInputListProps {
  readonly items: readonly PastWorkItem[];
  /** What was written, by id. */
  readonly texts: ReadonlyMap<string, string>;
  /** Null takes back what was written. */
  readonly onText: (id: string, text: string | null) => void;
}

/** Without a search no more than this: whoever has more looks for theirs. */
const SHOWN = 50;

/** What waited, each with an editor of its input. */
export function ForkInputList({ items, texts, onText }: ForkInputListProps) {
  const [text, setText] = useState('');
  const [open, setOpen] = useState<string | null>(null);
  const editable = items.filter(({ keeps }) => keeps === null);
  const kept = items.filter(({ keeps }) => keeps !== null);
  if (editable.length === 0) {
    return (
      <Empty small icon="check" title="No input can be changed from here">
        {kept.length === 0
          ? 'All that was submitted had settled. Fork from an earlier checkpoint to edit an input.'
          : `${plural(kept.length, 'action')} had begun, and ${kept.length === 1 ? 'keeps its input' : 'keep their inputs'}: fork from an earlier checkpoint to edit them.`}
      </Empty>
    );
  }
  const sought = text.trim().toLowerCase();
  const found = editable.filter(
    ({ id, name, plan }) => sought === '' || [id, name, plan ?? ''].some((word) => word.toLowerCase().includes(sought)),
  );
  // What was edited stays in sight.
  const shown = found.filter(({ id }, i) => i < SHOWN || texts.has(id));
  return (
    <div class="cp-inputs">
      {editable.length > 6 ? <Search value={text} onInput={setText} label="Search what waited" /> : null}
      <ul>
        {shown.map((item) => (
          <InputItem
            key={item.id}
            item={item}
            text={texts.get(item.id)}
            isOpen={open === item.id}
            onToggle={() => setOpen(open === item.id ? null : item.id)}
            onText={(next) => onText(item.id, next)}
          />
        ))}
      </ul>
      {found.length > shown.length ? (
        <p class="cp-note">and {plural(found.length - shown.length, 'more')} — search for them.</p>
      ) : null}
      {kept.length === 0 ? null : (
        <details class="cp-kept">
          <summary>{plural(kept.length, 'action')} that keep their input</summary>
          <ul>
            {kept.map(({ id, keeps }) => (
              <li key={id}>
                <span class="id">{id}</span> {keeps}
              </li>
            ))}
          </ul>
        </details>
      )}
    </div>
  );
}

interface InputItemProps {
  readonly item: PastWorkItem;
  readonly text: string | undefined;
  readonly isOpen: boolean;
  readonly onToggle: () => void;
  readonly onText: (text: string | null) => void;
}

function InputItem({ item, text, isOpen, onToggle, onText }: InputItemProps) {
  const read = text === undefined ? undefined : readInput(item, text);
  const id = `fork-input-${item.id}`;
  return (
    <li class={`cp-input ${isOpen ? 'open' : ''}`}>
      <button type="button" class="cp-input-head" aria-expanded={isOpen} onClick={onToggle}>
        <Icon name={isOpen ? 'down' : 'right'} size={12} />
        <span class="cp-input-name">{item.name}</span>
        <span class="id">{item.id}</span>
        <StateBadge state={item.state} />
        {read === undefined || read.state === 'same' ? (
          <span class="cp-json">{JSON.stringify(item.input)}</span>
        ) : read.state === 'changed' ? (
          <Badge tone="accent" icon="check">
            another input
          </Badge>
        ) : (
          <Badge tone="failed">not ready</Badge>
        )}
      </button>
      {isOpen ? (
        <Editor
          id={id}
          item={item}
          text={text ?? inputText(item.input)}
          isEdited={text !== undefined}
          onText={onText}
        />
      ) : null}
    </li>
  );
}

interface EditorProps {
  readonly id: string;
  readonly item: PastWorkItem;
  readonly text: string;
  readonly isEdited: boolean;
  readonly onText: (text: string | null) => void;
}

function Editor({ id, item, text, isEdited, onText }: EditorProps) {
  const read = readInput(item, text);
  const lines = text.split('\n').length;
  const wrongLine = read.state === 'invalid' ? read.line : null;
  const format = (): void => onText(JSON.stringify(JSON.parse(text), null, 2));
  return (
    <div class="cp-editor">
      <div class={`cp-code ${read.state}`}>
        <div class="cp-lines" aria-hidden>
          {Array.from({ length: lines }, (_, i) => (
            <span key={i} class={i + 1 === wrongLine ? 'wrong' : ''}>
              {i + 1}
            </span>
          ))}
        </div>
        <textarea
          id={id}
          class="code"
          rows={Math.min(18, Math.max(3, lines))}
          wrap="off"
          spellcheck={false}
          autofocus
          aria-label={`Input of ${item.id}, as JSON`}
          aria-invalid={read.state === 'invalid'}
          aria-describedby={`${id}-help`}
          value={text}
          onInput={(event) => onText(event.currentTarget.value)}
          onScroll={({ currentTarget }) => {
            const numbers = currentTarget.previousElementSibling;
            if (numbers !== null) numbers.scrollTop = currentTarget.scrollTop;
          }}
        />
      </div>
      <div class="cp-editor-foot">
        <p id={`${id}-help`} class={read.state === 'invalid' ? 'field-problem' : 'field-help'} role="status">
          {read.state === 'invalid'
            ? `Line ${read.line}, column ${read.column}: ${read.message}.`
            : read.state === 'same'
              ? item.isRedacted
                ? 'As it was. Secrets are not shown: another input must spell them out.'
                : 'As it was.'
              : 'It is as if it had been submitted with this.'}
        </p>
        <Button small kind="quiet" disabled={read.state === 'invalid'} onClick={format}>
          Format
        </Button>
        <Button small kind="quiet" icon="retry" disabled={!isEdited} onClick={() => onText(null)}>
          As it was
        </Button>
      </div>
      {read.state === 'changed' ? (
        <div class="cp-editor-diff">
          <JsonDiff before={item.input} after={read.value} label={`What is other in the input of ${item.id}`} />
        </div>
      ) : null}
    </div>
  );
}
