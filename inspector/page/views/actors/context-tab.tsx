/** What an actor holds, and what each event changed of it. */
import type { ActorDetail } from '../../../protocol.ts';
import { clockText } from '../../format.ts';
import { param, setParams } from '../../location.ts';
import { Badge } from '../../ui/badge.tsx';
import { Button } from '../../ui/button.tsx';
import { Empty } from '../../ui/empty.tsx';
import { JsonDiff } from '../../ui/json-diff.tsx';
import { JsonTree } from '../../ui/json-tree.tsx';
import { Spinner } from '../../ui/spinner.tsx';
import { VirtualList } from '../../ui/virtual-list.tsx';
import { valueText } from './configuration.ts';
import { StepBar, choose, chosenStep, stepOnKey } from './step-bar.tsx';
import { pairOf, type Step } from './steps.ts';
import { usePast, type Detail } from './use-detail.ts';

export function ContextTab({ detail, steps }: { readonly detail: ActorDetail; readonly steps: readonly Step[] }) {
  const chosen = chosenStep();
  const against = param('against').value === 'now' ? 'now' : 'before';
  const pair = pairOf(steps, chosen, against);
  const past = usePast(detail.id, pair.at);
  const before = usePast(detail.id, typeof pair.other === 'number' ? pair.other : null);
  const then: Detail = pair.at === null ? { data: detail, error: undefined } : past;
  const other: Detail = pair.other === 'latest' ? { data: detail, error: undefined } : before;
  const at = chosen === null ? steps.length - 1 : steps.findIndex((step) => step.seq === chosen);
  const step = steps[at];
  return (
    <div class="context-tab" onKeyDown={(event) => stepOnKey(event, steps)}>
      <div class="context-steps">
        <VirtualList
          items={steps}
          rowHeight={36}
          keyOf={({ seq: key }) => key}
          label="States that it went through"
          selected={step?.seq ?? null}
          follow={chosen === null}
          onSelect={({ seq: to }, index) => choose(index === steps.length - 1 ? null : to)}
          empty={
            <Empty small icon="history" title="No steps yet">
              Each event that this actor takes appears here.
            </Empty>
          }
          row={(one) => <StepRow step={one} />}
        />
      </div>
      <div class="context-main" tabIndex={-1}>
        <header class="context-head">
          <StepBar steps={steps} />
          <span class="grow" />
          <Button small pressed={against === 'before'} onClick={() => setParams({ against: null })}>
            vs before
          </Button>
          <Button
            small
            pressed={against === 'now'}
            disabled={chosen === null}
            onClick={() => setParams({ against: 'now' })}
          >
            vs now
          </Button>
        </header>
        <div class="context-body">
          <section class="context-part">
            <h3>{against === 'now' ? 'What changed since' : 'What it changed'}</h3>
            <Change then={then} other={other} against={against} hasOther={pair.other !== null} />
          </section>
          <section class="context-part">
            <h3>Context{chosen === null ? '' : ' then'}</h3>
            {then.error !== undefined ? (
              <Empty small icon="history" title="Not held any more">
                {then.error.message}
              </Empty>
            ) : then.data === undefined ? (
              <Spinner label="Loading" />
            ) : (
              <JsonTree value={then.data.context} label="Context" depth={2} />
            )}
          </section>
          {then.data?.output === undefined || then.data.output === null ? null : (
            <section class="context-part">
              <h3>Output</h3>
              <JsonTree value={then.data.output} label="Output" />
            </section>
          )}
          {then.data?.error === undefined || then.data.error === null ? null : (
            <section class="context-part">
              <h3>Error</h3>
              <JsonTree value={then.data.error} label="Error" />
            </section>
          )}
        </div>
      </div>
    </div>
  );
}

/** The parts of an actor that are compared. */
function compared({ value, context, status }: ActorDetail) {
  return { state: valueText(value) || status, context };
}

function Change({
  then,
  other,
  against,
  hasOther,
}: {
  readonly then: Detail;
  readonly other: Detail;
  readonly against: 'before' | 'now';
  readonly hasOther: boolean;
}) {
  if (!hasOther) return <p class="faint">This is the first state that was recorded.</p>;
  if (other.error !== undefined) return <p class="faint">The state before this one is no longer kept.</p>;
  if (then.data === undefined || other.data === undefined)
    return then.error === undefined ? <Spinner label="Loading" /> : null;
  const [before, after] = against === 'now' ? [then.data, other.data] : [other.data, then.data];
  return <JsonDiff before={compared(before)} after={compared(after)} label="What changed" />;
}

export function StepRow({ step }: { readonly step: Step }) {
  const state = valueText(step.value) || (step.ending ?? '');
  return (
    <div class="step-row">
      <span class="step-event" title={step.event}>
        {step.event}
      </span>
      <span class="step-time number faint">{clockText(step.at)}</span>
      <span class="step-state faint" title={state}>
        {state}
      </span>
      {step.contextChanged ? (
        <Badge tone="accent" icon={null} title="The context changed">
          ctx
        </Badge>
      ) : null}
    </div>
  );
}
