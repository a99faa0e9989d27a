import type { Overview } from '../../../views/overview.ts';
import { DISK_HELP, freeText, levelHelp, levelText } from '../resources/resource-words.ts';
import { bytesText, countText, durationText, oneUnit, percentText } from '../../format.ts';
import { toneOf, type Tone } from '../../tone.ts';
import { Badge } from '../../ui/badge.tsx';
import { Link } from '../../ui/link.tsx';
import { Meter } from '../../ui/meter.tsx';
import { Panel } from '../../ui/panel.tsx';

const TITLES: Readonly<Record<string, string>> = {
  memory: 'Memory',
  heap: 'Heap',
  disk: 'Disk',
  handles: 'Handles',
  hostMemory: 'Host memory',
  cpu: 'Processor',
  hostCpu: 'Host processors',
  loopDelay: 'Event loop delay',
  loopUtilization: 'Event loop',
  wal: 'Write-ahead log',
};

const IN_BYTES = new Set(['memory', 'heap', 'disk', 'hostMemory', 'wal']);

function amountText(name: string, amount: number): string {
  if (IN_BYTES.has(name)) return bytesText(amount);
  if (name === 'loopDelay') return durationText(amount);
  if (name === 'hostCpu' || name === 'loopUtilization') return percentText(amount);
  return Number.isInteger(amount) ? countText(amount) : amount.toFixed(1);
}

/** What is used of memory, disk and the rest, and when it is full. */
export function Resources({ resources }: { readonly resources: Overview['resources'] }) {
  if (resources.length === 0) return null;
  return (
    <Panel title="Resources" icon="gauge" actions={<Link view="resources">Forecasts</Link>}>
      <ul class="gauges">
        {resources.map(({ name, used, limit, level, etaMs }) => (
          <li key={name} class="gauge">
            <span class="gauge-name cut">{TITLES[name] ?? name}</span>
            <span class="gauge-value number">
              {name === 'disk' ? (
                <span title={DISK_HELP}>{freeText(used, limit)}</span>
              ) : (
                <>
                  {amountText(name, used)} <span class="faint">of {amountText(name, limit)}</span>
                </>
              )}
            </span>
            <Meter
              value={used}
              max={limit}
              tone={level === 'normal' ? 'accent' : toneOf(level)}
              label={TITLES[name] ?? name}
              text={`${amountText(name, used)} of ${amountText(name, limit)}, ${level}`}
            />
            {etaMs === null && level === 'normal' ? null : (
              <span class={`gauge-eta tone-${toneOf(level)}`} title={levelHelp(name)}>
                {level === 'normal' ? '' : `${levelText(name, level)}${etaMs === null ? '' : ' · '}`}
                {etaMs === null ? '' : `full in ${oneUnit(etaMs)}`}
              </span>
            )}
          </li>
        ))}
      </ul>
    </Panel>
  );
}

const TIERS: Readonly<Record<string, readonly [Tone, string]>> = {
  healthy: ['ok', 'healthy'],
  slowBurn: ['retrying', 'burns slowly'],
  fastBurn: ['degraded', 'burns fast'],
  exhausted: ['failed', 'exhausted'],
};

/** What is left of the error budget, and how fast it goes. */
export function Budget({ budget }: { readonly budget: Overview['budget'] }) {
  if (budget === null) return null;
  const [tone, word] = TIERS[budget.tier] ?? ['neutral', budget.tier];
  return (
    <Panel title="Error budget" icon="budget" actions={<Link view="budget">History</Link>}>
      <div class="budget">
        <p class="budget-left">
          <b class="number">{percentText(Math.max(0, budget.remaining))}</b> left
        </p>
        <Badge tone={tone}>{word}</Badge>
        <Meter value={Math.max(0, budget.remaining)} max={1} tone={tone} label="Error budget left" />
        <p class="faint number">
          {budget.burn === 0
            ? 'Nothing is being spent.'
            : `Spent ${budget.burn.toFixed(1)} times as fast as it may be.`}
        </p>
      </div>
    </Panel>
  );
}

const STANDINGS: Readonly<Record<string, Tone>> = {
  operational: 'ok',
  degraded: 'degraded',
  down: 'failed',
  probing: 'retrying',
  bypassed: 'waiting',
};

/** What work leans on, and how it stands. */
export function Components({ components }: { readonly components: Overview['components'] }) {
  const entries = Object.entries(components);
  if (entries.length === 0) return null;
  return (
    <Panel title="Components" icon="bolt" count={entries.length}>
      <ul class="rows">
        {entries.map(([name, { status, loss }]) => (
          <li key={name} class="row">
            <span class="grow cut">{name}</span>
            {loss > 0 ? <span class="faint number">−{percentText(loss)} quality</span> : null}
            <Badge tone={STANDINGS[status] ?? 'neutral'}>{status}</Badge>
          </li>
        ))}
      </ul>
    </Panel>
  );
}
