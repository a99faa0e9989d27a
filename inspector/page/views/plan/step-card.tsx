import { countText } from '../../format.ts';
import { iconOfTone } from '../../tone.ts';
import { useNow } from '../../ui/clock.ts';
import { Icon } from '../../ui/icon.tsx';
import type { Place } from './layers.ts';
import { standingOf, type ShapeNode } from './shape.ts';
import { shareOf, standingOfTally, timeOf, titleOf, toneOfStanding, wordOf } from './standing.ts';
import { TallyBar } from './tally-bar.tsx';

export interface CardProps {
  readonly node: ShapeNode;
  readonly place: Place;
  readonly isSelected: boolean;
  /** Not on the ways to and from what is selected. */
  readonly isDim: boolean;
  readonly onToggle: (id: string) => void;
}

/** A step, a box, or a stack, at its place. */
export function Card(props: CardProps) {
  const { node, place, isSelected, isDim } = props;
  const standing = node.kind === 'step' ? standingOf(node.step) : standingOfTally(node.tally);
  const classes = [
    'card',
    `card-${node.kind}`,
    `tone-${toneOfStanding(standing)}`,
    `is-${standing}`,
    node.isCritical ? 'is-critical' : '',
    isSelected ? 'is-selected' : '',
    isDim ? 'is-dim' : '',
  ];
  return (
    <div
      class={classes.join(' ')}
      data-step={node.id}
      style={{
        width: `${place.width}px`,
        height: `${place.height}px`,
        transform: `translate(${place.x}px, ${place.y}px)`,
      }}
    >
      {node.kind === 'step' ? <Step node={node} /> : <Group {...props} />}
    </div>
  );
}

function Step({ node: { step } }: { readonly node: ShapeNode }) {
  const isUnderWay = step.startedAt !== null && step.settledAt === null;
  return (
    <>
      <div class="card-line">
        <Icon name={iconOfTone(toneOfStanding(standingOf(step)))} size={14} label={wordOf(step)} />
        <span class="card-name" title={step.name === '' ? step.id : `${step.id}\n${step.name}`}>
          {titleOf(step)}
        </span>
        {step.attempts > 1 ? (
          <span class="card-tries" title={`${step.attempts} tries`}>
            {countText(step.attempts)}×
          </span>
        ) : null}
      </div>
      {isUnderWay ? <UnderWay step={step} /> : <Over step={step} />}
    </>
  );
}

function UnderWay({ step }: { readonly step: ShapeNode['step'] }) {
  const now = useNow();
  const share = shareOf(step, now);
  return (
    <>
      <div class="card-line card-small">
        <span>{wordOf(step)}</span>
        <span class="number">{timeOf(step, now)}</span>
      </div>
      {share === null ? null : (
        <div class={`card-progress ${share >= 1 ? 'is-over' : ''}`} style={{ transform: `scaleX(${share})` }} />
      )}
    </>
  );
}

function Over({ step }: { readonly step: ShapeNode['step'] }) {
  const why = ['failed', 'denied', 'skipped'].includes(standingOf(step)) ? (step.error ?? step.reason) : null;
  return (
    <div class="card-line card-small" title={step.error ?? step.reason ?? undefined}>
      <span class="cut">{why ?? wordOf(step)}</span>
      <span class="number">{timeOf(step, 0)}</span>
    </div>
  );
}

function Group({ node, onToggle }: CardProps) {
  const { step, tally, kind } = node;
  const isBox = kind === 'box';
  const over = tally.total - tally.waiting - tally.running - tally.retrying - tally.asking;
  return (
    <>
      <div class="card-line">
        <button
          type="button"
          class="card-toggle"
          tabIndex={-1}
          aria-expanded={isBox}
          aria-label={`${isBox ? 'Close' : 'Open'} ${titleOf(step)}`}
          onClick={(event) => {
            event.stopPropagation();
            onToggle(step.id);
          }}
        >
          <Icon name={isBox ? 'down' : 'right'} size={14} />
        </button>
        <span class="card-name" title={step.name === '' ? step.id : `${step.id}\n${step.name}`}>
          {titleOf(step)}
        </span>
        <span class="card-count number">
          {countText(over)}/{countText(tally.total)}
        </span>
      </div>
      {isBox ? null : (
        <>
          <div class="card-line card-small">
            <span class="cut">{words(node)}</span>
          </div>
          <TallyBar tally={tally} label={titleOf(step)} />
        </>
      )}
    </>
  );
}

function words({ tally, kind }: ShapeNode): string {
  const said = (['failed', 'denied', 'asking', 'retrying', 'running'] as const).filter(
    (standing) => tally[standing] > 0,
  );
  const what = kind === 'stack' ? 'fan-out' : 'group';
  if (said.length === 0) return tally.total === 0 ? `${what}, not begun` : `${what} of ${countText(tally.total)}`;
  return said.map((standing) => `${countText(tally[standing])} ${standing}`).join(', ');
}
