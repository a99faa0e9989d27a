/** The process that is killed: it measures spans that come in pairs, writes them as fast as it can, and says how many are written. */
import { writeSync } from 'node:fs';
import { defineAction } from '../../actors/actions.ts';
import { spawnSupervisor } from '../../actors/spawn.ts';

const supervisor = await spawnSupervisor({
  store: process.env['STORE'] as string,
  actions: { nap: defineAction({ run: () => {} }) },
  profiler: 'full',
});
const { profiler } = supervisor;

const count = () => profiler.report().operations.find(({ name }) => name === 'outer')?.count ?? 0;
for (;;) {
  for (let n = 0; n < 100; n += 1) {
    const outer = profiler.span('outer');
    profiler.span('inner').end();
    outer.end();
  }
  void supervisor.submit('nap', undefined as never);
  const taken = count();
  await profiler.chromeTrace();
  writeSync(1, `${taken}\n`);
}
