import { defineConfig } from 'vitest/config';
import { productionBuild } from './vitest.config.ts';

/** The tests that mutants of `persistence/` are given to: those that need no other process, no second build and no minute. */
export default defineConfig({
  plugins: [productionBuild],
  test: {
    include: ['test/persistence/**/*.test.ts', 'test/properties/{rows,model,history,supervision}.test.ts'],
    exclude: ['test/persistence/xstate-build.test.ts', 'test/persistence/store.test.ts'],
    env: { PERDURE_XSTATE_BUILD: 'production' },
    testTimeout: 20_000,
    pool: 'forks',
  },
});
