import { useState } from 'preact/hooks';
import { shapeOf } from '../json-shape.ts';
import { IconButton } from './button.tsx';
import { Icon } from './icon.tsx';
import { toast } from './toast.tsx';

export interface JsonTreeProps {
  readonly value: unknown;
  /** What it is, for who cannot see it. */
  readonly label: string;
  /** How many levels are open at first. Default: 2. */
  readonly depth?: number;
}

/** How many parts of a branch are shown at first, and how many more with each press. */
const PAGE = 100;
const LONGEST_TEXT = 400;

/** A value, to be opened level by level. Of what is closed nothing is drawn. */
export function JsonTree({ value, label, depth = 2 }: JsonTreeProps) {
  return (
    <div class="json-box">
      <div class="json-copy">
        <CopyButton value={value} label={`Copy ${label}`} />
      </div>
      <div class="json" role="group" aria-label={label}>
        <Node name={null} value={value} depth={depth} />
      </div>
    </div>
  );
}

/** Copies a value as JSON, a text as it is. */
export function CopyButton({ value, label }: { readonly value: unknown; readonly label: string }) {
  const copy = async (): Promise<void> => {
    try {
      await navigator.clipboard.writeText(
        typeof value === 'string' ? value : (JSON.stringify(value, null, 2) ?? 'undefined'),
      );
      toast({ tone: 'ok', title: 'Copied' });
    } catch (error) {
      toast({ tone: 'failed', title: 'It could not be copied', text: error instanceof Error ? error.message : '' });
    }
  };
  return <IconButton icon="copy" label={label} small onClick={() => void copy()} />;
}

interface NodeProps {
  readonly name: string | null;
  readonly value: unknown;
  readonly depth: number;
}

function Node({ name, value, depth }: NodeProps) {
  const shape = shapeOf(value);
  const [isOpen, setOpen] = useState(depth > 0);
  const [most, setMost] = useState(PAGE);
  const key = name === null ? null : <span class="json-key cut">{name}</span>;
  if (shape.entries === null) {
    return (
      <div class="json-line">
        <span class="json-gap" />
        {key}
        <Leaf kind={shape.kind} text={shape.text} />
      </div>
    );
  }
  if (shape.size === 0) {
    return (
      <div class="json-line">
        <span class="json-gap" />
        {key}
        <span class="json-sum">{shape.text}</span>
      </div>
    );
  }
  const entries = isOpen ? shape.entries() : [];
  return (
    <div>
      <div class="json-line">
        <button
          type="button"
          class="json-toggle"
          aria-expanded={isOpen}
          aria-label={`${name ?? 'value'}, ${shape.size} inside`}
          onClick={() => setOpen(!isOpen)}
        >
          <Icon name="right" size={12} />
        </button>
        {key}
        <span class="json-sum cut">{isOpen && shape.text.startsWith('{') ? `{${shape.size}}` : shape.text}</span>
      </div>
      {isOpen ? (
        <div class="json-children">
          {entries.slice(0, most).map(([inner, item], i) => (
            <Node key={`${i} ${inner}`} name={inner} value={item} depth={depth - 1} />
          ))}
          {entries.length > most ? (
            <button type="button" class="json-more" onClick={() => setMost(most + PAGE)}>
              {entries.length - most} more
            </button>
          ) : null}
        </div>
      ) : null}
    </div>
  );
}

function Leaf({ kind, text }: { readonly kind: string; readonly text: string }) {
  const [isWhole, setWhole] = useState(false);
  const isText = kind === 'text';
  const shown = isWhole ? text : text.slice(0, LONGEST_TEXT);
  return (
    <span class={`json-${kind}`}>
      {isText ? `"${shown}${shown === text ? '"' : '…'}` : shown}
      {shown === text ? null : (
        <button type="button" class="json-more" onClick={() => setWhole(true)}>
          show {text.length - LONGEST_TEXT} more
        </button>
      )}
    </span>
  );
}
