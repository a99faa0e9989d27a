import { useMemo } from 'preact/hooks';
import { changesOf, MAX_CHANGES } from '../json-difference.ts';
import { shapeOf } from '../json-shape.ts';
import { Empty } from './empty.tsx';

export interface JsonDiffProps {
  readonly before: unknown;
  readonly after: unknown;
  readonly label: string;
}

const LONGEST = 300;

/** What changed between two values, path by path: what was in red with a minus, what is in green with a plus. */
export function JsonDiff({ before, after, label }: JsonDiffProps) {
  const changes = useMemo(() => changesOf(before, after), [before, after]);
  if (changes.length === 0) return <Empty small icon="check" title="Nothing changed" />;
  return (
    <div class="diff" role="group" aria-label={label}>
      {changes.map(({ path, kind, before: was, after: is }) => (
        <div key={path.join('\u0000')}>
          <p class="diff-path">{path.length === 0 ? 'all of it' : path.join(' › ')}</p>
          {kind === 'added' ? null : <Side sign="−" said="was" value={was} />}
          {kind === 'removed' ? null : <Side sign="+" said="is" value={is} />}
        </div>
      ))}
      {changes.length === MAX_CHANGES ? <p class="faint">Only the first {MAX_CHANGES} changes are shown.</p> : null}
    </div>
  );
}

function Side({ sign, said, value }: { readonly sign: string; readonly said: string; readonly value: unknown }) {
  return (
    <div class={`diff-side ${said === 'was' ? 'gone' : 'new'}`}>
      <span class="diff-sign" aria-hidden>
        {sign}
      </span>
      <span class="unseen">{said}</span>
      <span>{lineOf(value)}</span>
    </div>
  );
}

/** A value in a line: a leaf as it is, a branch as JSON. */
function lineOf(value: unknown): string {
  const shape = shapeOf(value);
  const text = shape.entries === null ? shape.text : (JSON.stringify(value) ?? 'undefined');
  const quoted = shape.kind === 'text' ? `"${text}"` : text;
  return quoted.length > LONGEST ? `${quoted.slice(0, LONGEST)}…` : quoted;
}
