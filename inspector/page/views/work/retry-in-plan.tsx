import { give } from '../../command.ts';
import { Button } from '../../ui/button.tsx';

/** A step of a plan is not queued again by itself: its plan gives it, and what waits for it, another round. */
export function RetryInPlan({ plan }: { readonly plan: string }) {
  return (
    <Button
      gives
      small
      icon="retry"
      title={`Give the failed steps of ${plan} another round`}
      onClick={() => void give('retry', { id: plan })}
    >
      Retry in its plan
    </Button>
  );
}
