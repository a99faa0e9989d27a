/** Goes back and forth through the states of an actor; which one is seen is in the address. */
import { clockText } from '../../format.ts';
import { param, setParams } from '../../location.ts';
import { Button, IconButton } from '../../ui/button.tsx';
import { stepFrom, type Step } from './steps.ts';

/** The record after whose state somebody looks; null for the latest. */
export function chosenStep(): number | null {
  const seq = param('seq').value;
  return seq === '' ? null : Number(seq);
}

export function choose(seq: number | null): void {
  setParams(seq === null ? { seq: null, against: null } : { seq });
}

/** j and k, where no list has taken them. */
export function stepOnKey(event: KeyboardEvent, steps: readonly Step[]): void {
  if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.target instanceof HTMLInputElement) return;
  const by = { j: 1, k: -1 }[event.key];
  if (by === undefined) return;
  event.preventDefault();
  choose(stepFrom(steps, chosenStep(), by));
}

export function StepBar({ steps }: { readonly steps: readonly Step[] }) {
  const chosen = chosenStep();
  const at = chosen === null ? steps.length - 1 : steps.findIndex(({ seq }) => seq === chosen);
  const step = steps[at];
  return (
    <div class="step-bar">
      <IconButton
        icon="left"
        label="The step before (k)"
        small
        disabled={at <= 0}
        onClick={() => choose(stepFrom(steps, chosen, -1))}
      />
      <IconButton
        icon="right"
        label="The next step (j)"
        small
        disabled={chosen === null}
        onClick={() => choose(stepFrom(steps, chosen, 1))}
      />
      <span class="step-which" title={step?.event}>
        {chosen === null ? 'Latest' : `After ${step?.event ?? `record ${chosen}`}`}
        {step === undefined ? null : <span class="faint number"> {clockText(step.at)}</span>}
      </span>
      {chosen === null ? null : (
        <Button small kind="quiet" onClick={() => choose(null)}>
          Latest
        </Button>
      )}
    </div>
  );
}
