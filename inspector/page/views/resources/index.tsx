import type { ResourcesView } from '../../../views/measures.ts';
import { plural } from '../../format.ts';
import { param } from '../../location.ts';
import { useView } from '../../use-view.ts';
import { Badge } from '../../ui/badge.tsx';
import { Button } from '../../ui/button.tsx';
import { Empty, Failure } from '../../ui/empty.tsx';
import { Spinner } from '../../ui/spinner.tsx';
import { Time } from '../../ui/time.tsx';
import { ResourceChart } from './resource-chart.tsx';
import { admissionWords, ordered } from './resource-words.ts';
import './resources.css';

const scale = param('scale');

/** What the process runs on: how much of each, and when it runs full. */
function Resources() {
  const { data, error, reload } = useView<ResourcesView>('resources', {}, { restMs: 1_000 });
  if (data === undefined) {
    if (error !== undefined) return <Failure code={error.code} message={error.message} onRetry={reload} />;
    return <Spinner label="Reading the resources" />;
  }
  if (data.series.length === 0) {
    return (
      <Empty icon="gauge" title="Nothing was sampled yet">
        <p>
          Memory, disk, processors and the rest are sampled every few seconds while a supervisor runs, and drawn here
          with their limits.
        </p>
      </Empty>
    );
  }
  const { title, text, tone } = admissionWords(data.admission);
  const short = data.series.filter(({ level }) => level !== 'normal').length;
  const filling = data.series.filter(({ forecast }) => forecast !== null).length;
  return (
    <div class="rs">
      <header class="rs-head">
        <Badge tone={tone}>{title}</Badge>
        <p>
          {text} {short === 0 ? 'None is short' : `${plural(short, 'resource')} ${short === 1 ? 'is' : 'are'} short`}
          {filling === 0 ? '' : `, ${filling} ${filling === 1 ? 'runs' : 'run'} full`}. Sampled <Time at={data.at} />.
        </p>
        <Button
          small
          pressed={scale.value === 'limit'}
          title="Every scale goes up to the limit"
          onClick={() => (scale.value = scale.value === 'limit' ? '' : 'limit')}
        >
          Up to the limit
        </Button>
      </header>
      <div class="rs-grid">
        {ordered(data.series).map((series) => (
          <ResourceChart key={series.name} series={series} now={data.at} toLimit={scale.value === 'limit'} />
        ))}
      </div>
    </div>
  );
}

export const view = { component: Resources };
