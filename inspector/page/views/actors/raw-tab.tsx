/** All that is known of an actor, as JSON. */
import { useMemo } from 'preact/hooks';
import type { ActorDetail } from '../../../protocol.ts';
import { Button } from '../../ui/button.tsx';
import { toast } from '../../ui/toast.tsx';

export function RawTab({ detail }: { readonly detail: ActorDetail }) {
  const text = useMemo(() => JSON.stringify(detail, null, 2), [detail]);
  const copy = async (): Promise<void> => {
    try {
      await navigator.clipboard.writeText(text);
      toast({ tone: 'ok', title: 'Copied' });
    } catch (error) {
      toast({ tone: 'failed', title: 'Not copied', text: error instanceof Error ? error.message : String(error) });
    }
  };
  return (
    <div class="raw-tab">
      <Button small icon="copy" onClick={() => void copy()}>
        Copy
      </Button>
      <pre class="raw mono" tabIndex={0} aria-label="The actor as JSON">
        {text}
      </pre>
    </div>
  );
}
