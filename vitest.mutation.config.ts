import { defineConfig } from 'vitest/config';
import { BaseSequencer, type TestSpecification } from 'vitest/node';
import { productionBuild } from './vitest.config.ts';

/** What takes a second or more. */
const slow = [
  'accepted-ids',
  'backup',
  'hostile',
  'secrets',
  'timers',
  'codec',
  'rows',
  'supervision',
  'history',
  'model',
];

/** The first test that fails ends a mutant, so the quick ones are asked first. */
class SlowLast extends BaseSequencer {
  override sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const cost = ({ moduleId }: TestSpecification) =>
      slow.findLastIndex((name) => moduleId.endsWith(`/${name}.test.ts`));
    return Promise.resolve(files.toSorted((a, b) => cost(a) - cost(b)));
  }
}

/**
 * The tests that mutants of `persistence/` are given to: those that need no other process, no second build, no minute, and no
 * umask of their own, which a thread, where Stryker runs them, cannot have. They share their modules, and the properties run
 * less often than usual, because every mutant pays for both.
 */
export default defineConfig({
  plugins: [productionBuild],
  test: {
    include: ['test/persistence/**/*.test.ts', 'test/properties/{rows,model,history,supervision}.test.ts'],
    exclude: ['test/persistence/{xstate-build,store,file-mode}.test.ts'],
    env: { PERDURE_XSTATE_BUILD: 'production', PERDURE_RUNS: '100' },
    testTimeout: 20_000,
    isolate: false,
    sequence: { sequencer: SlowLast },
  },
});
