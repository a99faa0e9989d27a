/** What came to an actor, from whom, and what it did to it. */
import { useMemo, useState } from 'preact/hooks';
import { clockText, timestampText } from '../../format.ts';
import { setParams } from '../../location.ts';
import { Badge } from '../../ui/badge.tsx';
import { Button, IconButton } from '../../ui/button.tsx';
import { Empty } from '../../ui/empty.tsx';
import { JsonTree } from '../../ui/json-tree.tsx';
import { ActorLink } from '../../ui/link.tsx';
import { Search } from '../../ui/search.tsx';
import { VirtualList } from '../../ui/virtual-list.tsx';
import { valueText } from './configuration.ts';
import type { Step } from './steps.ts';

export function RecordsTab({ actor, steps }: { readonly actor: string; readonly steps: readonly Step[] }) {
  const [text, setText] = useState('');
  const [chosen, setChosen] = useState<number | null>(null);
  const shown = useMemo(() => {
    const words = text.toLowerCase().split(/\s+/).filter(Boolean);
    if (words.length === 0) return steps;
    return steps.filter((step) => {
      const hay =
        `${step.event} ${step.from ?? ''} ${valueText(step.value)} ${JSON.stringify(step.payload)}`.toLowerCase();
      return words.every((word) => hay.includes(word));
    });
  }, [steps, text]);
  const step = chosen === null ? undefined : steps.find(({ seq }) => seq === chosen);
  return (
    <div class="records-tab">
      <header class="records-head">
        <Search value={text} onInput={setText} label="Search its events" />
        <span class="faint number">{shown.length}</span>
      </header>
      <VirtualList
        items={shown}
        rowHeight={32}
        keyOf={({ seq }) => seq}
        label={`Events of ${actor}`}
        selected={chosen}
        follow={chosen === null}
        onSelect={({ seq }) => setChosen(seq)}
        onOpen={({ seq }) => setParams({ tab: 'context', seq })}
        empty={
          <Empty icon="list" title="Nothing since you look">
            Events that come to this actor appear here.
          </Empty>
        }
        row={(one) => (
          <div class="actor-record">
            <span class="number faint" title={timestampText(one.at)}>
              {clockText(one.at)}
            </span>
            <span class="cut faint" title={one.from ?? 'outside'}>
              {one.from === null ? 'outside' : one.from === actor ? 'itself' : nameOf(one.from)}
            </span>
            <span class="cut mono" title={one.event}>
              {one.event}
            </span>
            <span class="cut" title={valueText(one.value)}>
              {valueText(one.value) || (one.ending ?? '')}
            </span>
            <span>
              {one.contextChanged ? (
                <Badge tone="accent" icon={null} title="The context changed">
                  ctx
                </Badge>
              ) : null}
            </span>
          </div>
        )}
      />
      {step === undefined ? null : (
        <section class="record-beside" aria-label="The chosen event">
          <header>
            <strong class="mono">{step.event}</strong>
            <span class="faint">
              {' '}
              from {step.from === null ? 'outside' : <ActorLink id={step.from} />} at {timestampText(step.at)}
            </span>
            <IconButton icon="cross" label="Close the details" small closes onClick={() => setChosen(null)} />
          </header>
          <JsonTree value={step.payload} label="The event" />
          <Button small onClick={() => setParams({ tab: 'context', seq: step.seq })}>
            What it changed
          </Button>
        </section>
      )}
    </div>
  );
}

function nameOf(id: string): string {
  return id.slice(id.lastIndexOf('/') + 1);
}
