import { useState } from 'preact/hooks';
import { Button } from '../../ui/button.tsx';

/** A text that is meant to be taken along, such as a command. */
export function CopyText({ text, label }: { readonly text: string; readonly label: string }) {
  const [isCopied, setCopied] = useState(false);
  const copy = async (): Promise<void> => {
    try {
      await navigator.clipboard.writeText(text);
      setCopied(true);
      setTimeout(() => setCopied(false), 1_500);
    } catch {
      // Without the right to the clipboard the text is still there to be selected.
      setCopied(false);
    }
  };
  return (
    <div class="cp-copy">
      <code tabIndex={0} aria-label={label} role="textbox" aria-readonly>
        {text}
      </code>
      <Button small kind="quiet" icon={isCopied ? 'check' : 'copy'} label={`Copy ${label}`} onClick={() => void copy()}>
        {isCopied ? 'Copied' : 'Copy'}
      </Button>
    </div>
  );
}
