import { useCallback, useEffect, useState } from 'preact/hooks';
import type { PlanGraph } from '../../../views/plan.ts';
import { plural } from '../../format.ts';
import { route, setParams } from '../../location.ts';
import { Badge } from '../../ui/badge.tsx';
import { Empty, Failure } from '../../ui/empty.tsx';
import { Spinner } from '../../ui/spinner.tsx';
import { Tabs } from '../../ui/tabs.tsx';
import { useView } from '../../use-view.ts';
import { Graph } from './graph.tsx';
import { RunHead } from './run-head.tsx';
import { RunList } from './run-list.tsx';
import { isOpen, type Opened } from './shape.ts';
import { StepPanel } from './step-panel.tsx';
import { StepTable } from './step-table.tsx';
import './plan.css';

function Plans() {
  const { params } = route.value;
  const [newest, setNewest] = useState<string | null>(null);
  const id = params['plan'] ?? newest;
  return (
    <div class="plans-view">
      <nav class="plans-runs" aria-label="Runs">
        <RunList
          selected={id}
          onSelect={(plan) => setParams({ plan, step: null }, { replace: false })}
          onFirst={(first) => setNewest((before) => before ?? first)}
        />
      </nav>
      {id === null ? (
        <div class="plans-run">
          <Empty icon="graph" title="No run is chosen">
            A run of a plan appears here as a graph, with what it waits for and its critical path.
          </Empty>
        </div>
      ) : (
        <Run key={id} id={id} />
      )}
    </div>
  );
}

function Run({ id }: { readonly id: string }) {
  const { params } = route.value;
  const { data: plan, error, reload } = useView<PlanGraph>('plan', { id }, { restMs: 500 });
  const [opened, setOpened] = useState<Opened>(new Map());
  const selected = params['step'] ?? null;
  const isTable = params['as'] === 'table';
  const toggle = useCallback(
    (step: string): void => {
      setOpened((before) => {
        const found = plan?.graph.find((one) => one.id === step);
        if (plan === undefined || found === undefined) return before;
        return new Map(before).set(step, !isOpen(found, plan.graph.length, before));
      });
    },
    [plan],
  );
  const select = useCallback((step: string | null): void => setParams({ step }), []);
  const step = plan?.graph.find((one) => one.id === selected);
  // Who comes to a step in a closed box by its address is to see it: what it lies in is opened, once.
  useEffect(() => {
    if (plan === undefined || selected === null) return;
    const byId = new Map(plan.graph.map((one) => [one.id, one]));
    const above: string[] = [];
    let at = byId.get(selected)?.parent ?? null;
    while (at !== null && byId.has(at)) {
      above.push(at);
      at = byId.get(at)!.parent;
    }
    if (above.length === 0) return;
    setOpened((before) => new Map([...before, ...above.map((box) => [box, true] as const)]));
  }, [selected, plan === undefined]);

  if (plan === undefined) {
    return (
      <div class="plans-run">
        {error === undefined ? (
          <Spinner label="Looking at the run" />
        ) : (
          <Failure code={error.code} message={error.message} onRetry={reload} />
        )}
      </div>
    );
  }
  const moreSteps = (plan as PlanGraph & { readonly moreSteps?: number }).moreSteps ?? 0;
  return (
    <>
      <section class="plans-run" aria-label={`Run ${id}`}>
        <RunHead plan={plan} />
        <div class="toolbar plans-tools">
          <Tabs
            label="Shown as"
            tabs={[
              { id: 'graph', title: 'Graph', icon: 'graph' },
              { id: 'table', title: 'Table', icon: 'list' },
            ]}
            selected={isTable ? 'table' : 'graph'}
            onSelect={(as) => setParams({ as: as === 'graph' ? null : as })}
          />
          {moreSteps > 0 ? <Badge tone="degraded">{plural(moreSteps, 'more step')} not shown</Badge> : null}
          <span class="grow" />
          {isTable ? null : (
            <span class="faint plans-hint">
              drag or scroll to move · <kbd>Ctrl</kbd> wheel zooms · a double click opens a group
            </span>
          )}
        </div>
        {isTable ? (
          <StepTable steps={plan.graph} selected={selected} onSelect={select} />
        ) : (
          <Graph plan={plan} opened={opened} onToggle={toggle} selected={selected} onSelect={select} />
        )}
      </section>
      {step === undefined ? null : <StepPanel step={step} steps={plan.graph} onClose={() => select(null)} />}
    </>
  );
}

export const view = { component: Plans };
