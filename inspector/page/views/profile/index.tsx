import { useMemo } from 'preact/hooks';
import type { Flame } from '../../../../machines/profile-exports.ts';
import type { ProfilerMode } from '../../../../machines/profiler.ts';
import type { ProfileView } from '../../../views/measures.ts';
import { give } from '../../command.ts';
import { whyNoCommands } from '../../connection.ts';
import { percentText } from '../../format.ts';
import { param, setParams } from '../../location.ts';
import { useView } from '../../use-view.ts';
import { Button } from '../../ui/button.tsx';
import { Empty, Failure } from '../../ui/empty.tsx';
import { Icon } from '../../ui/icon.tsx';
import { Panel } from '../../ui/panel.tsx';
import { Search } from '../../ui/search.tsx';
import { Spinner } from '../../ui/spinner.tsx';
import { Tabs } from '../../ui/tabs.tsx';
import { Time } from '../../ui/time.tsx';
import { findingsText, HotPaths, PlanFindings, Recommendations } from './findings.tsx';
import { FlameGraph } from './flame-graph.tsx';
import { withoutKinds } from './flame-layout.ts';
import { Operations } from './operations.tsx';
import './profile.css';

const plan = param('plan');
const text = param('q');
const zoom = param('zoom');
const waits = param('waits');
const own = param('own');
const table = param('of');

/** Where time goes: of all work, or of a run of a plan. */
function ProfilePage() {
  const { data, error, reload } = useView<ProfileView>('profile', { plan: plan.value }, { restMs: 2_000 });
  // Waits are often much longer than work: who wants to see them asks.
  const [hasWaits, hasOwn] = [waits.value === '1', own.value !== '0'];
  const flame = useMemo(() => {
    const hidden = new Set<Flame['kind']>([
      ...(hasWaits ? [] : (['wait'] as const)),
      ...(hasOwn ? [] : (['runtime'] as const)),
    ]);
    return data?.flame == null ? null : withoutKinds(data.flame, hidden);
  }, [data?.flame, hasWaits, hasOwn]);
  if (data === undefined) {
    if (error !== undefined) return <Failure code={error.code} message={error.message} onRetry={reload} />;
    return <Spinner label="Reading the profile" />;
  }
  const { report, runs, mode } = data;
  if (report === null || flame === null) return <NotMeasured mode={mode} />;
  const pick = (name: string): void => setParams({ q: name, zoom: null });
  // A phase of an action is told with its action: in the flame graph it lies within it.
  const sought = text.value.replace(/^.*: (?=\S+$)/, '');
  return (
    <div class="pf">
      <header class="pf-head">
        <label class="pf-of">
          Of
          <select
            class="select"
            value={plan.value}
            onChange={({ currentTarget }) => setParams({ plan: currentTarget.value, zoom: null })}
          >
            <option value="">all work</option>
            {runs.map(({ id, name, at }) => (
              <option key={id} value={id}>
                {name} — {id} — {new Date(at).toLocaleTimeString()}
              </option>
            ))}
          </select>
        </label>
        <p class="pf-facts">
          {findingsText(report)} Since <Time at={report.since} />; measuring took{' '}
          {report.overhead.share < 0.001 ? 'next to nothing' : percentText(report.overhead.share)}.
          {report.dropped > 0 ? ` ${report.dropped} spans were lost.` : ''}
        </p>
        <div class="pf-actions">
          <Mode mode={mode} />
          <a
            class="button plain small"
            href={`v1/profile.cpuprofile${plan.value === '' ? '' : `?plan=${encodeURIComponent(plan.value)}`}`}
            download="perdure.cpuprofile"
            title="For the profiler of Chrome, and speedscope"
          >
            <Icon name="download" size={14} />
            <span>.cpuprofile</span>
          </a>
          <a
            class="button plain small"
            href="v1/profile.trace.json"
            download="perdure-trace.json"
            title="For Perfetto, and chrome://tracing"
          >
            <Icon name="download" size={14} />
            <span>Trace</span>
          </a>
        </div>
      </header>
      <Panel
        title="Flame graph"
        icon="flame"
        actions={
          <>
            <Kinds />
            <Search value={text.value} onInput={(next) => (text.value = next)} label="Search operations" />
          </>
        }
      >
        {flame.value > 0 ? (
          <FlameGraph flame={flame} text={sought} zoom={zoom.value} onZoom={(key) => (zoom.value = key)} />
        ) : (
          <Empty small icon="flame" title="Nothing is left to draw">
            Show the waits again, or wait for some work.
          </Empty>
        )}
      </Panel>
      <div class="pf-columns">
        <div class="pf-side">
          {report.plan === undefined ? null : <PlanFindings plan={report.plan} />}
          <Recommendations recommendations={report.recommendations} onPick={pick} />
          <HotPaths paths={report.hotPaths} onPick={(path) => setParams({ zoom: JSON.stringify(path), q: null })} />
        </div>
        <Panel
          title="Operations"
          icon="list"
          flush
          class="pf-operations"
          actions={
            <Tabs
              label="Whose operations"
              tabs={[
                { id: 'work', title: 'Work and waits', count: report.operations.length },
                { id: 'runtime', title: 'Perdure’s own', count: report.runtime.length },
              ]}
              selected={table.value === 'runtime' ? 'runtime' : 'work'}
              onSelect={(id) => (table.value = id === 'work' ? '' : id)}
            />
          }
        >
          <Operations
            operations={table.value === 'runtime' ? report.runtime : report.operations}
            text={report.operations.some(({ name }) => name === text.value) ? '' : text.value}
            selected={text.value}
            onSelect={pick}
          />
        </Panel>
      </div>
    </div>
  );
}

function Kinds() {
  const [hasWaits, hasOwn] = [waits.value === '1', own.value !== '0'];
  return (
    <div class="pf-kinds" role="group" aria-label="Show">
      <Button
        small
        kind="quiet"
        pressed={hasWaits}
        onClick={() => setParams({ waits: hasWaits ? null : 1, zoom: null })}
      >
        Waits
      </Button>
      <Button small kind="quiet" pressed={hasOwn} onClick={() => setParams({ own: hasOwn ? 0 : null, zoom: null })}>
        Perdure’s own
      </Button>
    </div>
  );
}

const MODES: readonly { readonly mode: ProfilerMode; readonly title: string; readonly help: string }[] = [
  { mode: 'off', title: 'Off', help: 'Nothing is measured' },
  { mode: 'sampling', title: 'Sampling', help: 'As much as costs little' },
  { mode: 'full', title: 'Full', help: 'Everything, which costs a tenth or so' },
];

/** How much is measured, to be changed where commands are obeyed. */
function Mode({ mode }: { readonly mode: ProfilerMode | undefined }) {
  if (mode === undefined) return null;
  return (
    <div class="pf-mode" role="group" aria-label="How much is measured">
      {MODES.map((one) => (
        <button
          key={one.mode}
          type="button"
          aria-pressed={one.mode === mode}
          title={whyNoCommands.value ?? one.help}
          disabled={whyNoCommands.value !== null}
          onClick={() => void measure(one.mode)}
        >
          {one.title}
        </button>
      ))}
    </div>
  );
}

async function measure(mode: ProfilerMode): Promise<void> {
  await give('profiler', { mode }, { confirm: false });
}

function NotMeasured({ mode }: { readonly mode: ProfilerMode | undefined }) {
  const isOff = mode === 'off';
  return (
    <Empty icon="flame" title={isOff ? 'The profiler is off' : 'Nothing was measured yet'}>
      {isOff ? (
        <>
          <p>Switch it on, and what runs from then on is drawn here: who called whom, and how long it took.</p>
          <div class="pf-switch">
            <Button kind="primary" icon="play" gives onClick={() => void measure('sampling')}>
              Measure, at little cost
            </Button>
            <Button gives onClick={() => void measure('full')}>
              Measure everything
            </Button>
          </div>
          <p>
            Or with <code>perdure profile --mode sampling</code>, or <code>profiler: 'sampling'</code> when the
            supervisor is spawned.
          </p>
        </>
      ) : (
        <p>
          As soon as actions have run it is drawn here who called whom, and how long it took. It is written every five
          seconds.
        </p>
      )}
    </Empty>
  );
}

export const view = { component: ProfilePage };
