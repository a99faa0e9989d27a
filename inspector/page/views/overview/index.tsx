import { canCommand } from '../../command.ts';
import { overviewError, overviewNow } from '../../overview-now.ts';
import { Failure } from '../../ui/empty.tsx';
import { Spinner } from '../../ui/spinner.tsx';
import { Asking } from './asking.tsx';
import { FirstSteps } from './first-steps.tsx';
import { Hero } from './hero.tsx';
import { HealthPanel } from './health.tsx';
import { Budget, Components, Resources } from './standing.tsx';
import { Next, Notices } from './soon.tsx';
import { Plans } from './plans.tsx';
import { Troubles, UnderWay } from './under-way.tsx';
import './overview.css';

/** What somebody sees first. */
function Overview() {
  const overview = overviewNow.value;
  if (overview === null) {
    const error = overviewError.value;
    return error === null ? <Spinner label="Loading…" /> : <Failure code={error.code} message={error.message} />;
  }
  const isNew = overview.plans.length === 0 && Object.values(overview.outcomes).every((n) => n === 0);
  const { counts } = overview;
  const isIdle = counts.running + counts.waiting + counts.backingOff + counts.asking + counts.delayed === 0;
  return (
    <div class="overview">
      <Hero overview={overview} />
      {isNew && isIdle ? <FirstSteps /> : null}
      <div class="overview-columns">
        <div class="overview-main">
          <Asking count={overview.approvals} />
          <UnderWay overview={overview} />
          <Troubles overview={overview} canRetry={canCommand.value} />
          <Plans plans={overview.plans} open={counts.plansOpen} />
        </div>
        <div class="overview-side">
          <HealthPanel health={overview.health} />
          <Resources resources={overview.resources} />
          <Budget budget={overview.budget} />
          <Components components={overview.components} />
          <Next next={overview.next} />
          <Notices notices={overview.notices} />
        </div>
      </div>
    </div>
  );
}

export const view = { component: Overview };
