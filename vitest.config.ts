import { defineConfig, type Plugin } from 'vitest/config';

/**
 * XState ships two builds. Vitest passes `--conditions development` to its processes; Node, and so our users, load the
 * production build. Vite merges lists of conditions, so the unwanted one is taken out of the merged list.
 * `xstate-build.test.ts` proves which build is there.
 */
export const productionBuild: Plugin = {
  name: 'xstate-production-build',
  configResolved({ ssr, environments }) {
    for (const { resolve } of [ssr, ...Object.values(environments)]) {
      if (resolve?.conditions === undefined) continue;
      resolve.conditions = resolve.conditions.filter((condition) => !condition.includes('development'));
    }
  },
};

/** What leans on XState, or runs in it. */
const leansOnXState = ['test/persistence/**/*.test.ts', 'test/machines/**/*.test.ts', 'test/properties/**/*.test.ts'];
/** Vitest leaves one of the cores alone, and many machines that test have two. What times itself does not take this. */
const allCores = { maxWorkers: '100%' };
/** Long runs of the runtime's own; once is enough. */
const longRuns = ['test/properties/{attempts,eight-hours,pipeline,soak,thread-pool,tracks}.test.ts'];

export default defineConfig({
  test: {
    testTimeout: 60_000,
    pool: 'forks',
    projects: [
      {
        extends: true,
        plugins: [productionBuild],
        test: {
          ...allCores,
          name: 'unit',
          include: ['test/**/*.test.ts'],
          exclude: ['test/recovery/**', 'test/browser/**'],
          env: { PERDURE_XSTATE_BUILD: 'production' },
        },
      },
      {
        extends: true,
        plugins: [productionBuild],
        test: {
          name: 'recovery',
          include: ['test/recovery/**/*.test.ts'],
          globalSetup: ['test/recovery/compile.ts'],
          env: { PERDURE_XSTATE_BUILD: 'production' },
          testTimeout: 600_000,
          hookTimeout: 120_000,
        },
      },
      {
        extends: true,
        plugins: [productionBuild],
        test: { name: 'browser', include: ['test/browser/**/*.test.ts'], testTimeout: 120_000, hookTimeout: 120_000 },
      },
      {
        extends: true,
        test: {
          ...allCores,
          name: 'xstate-development',
          include: leansOnXState,
          exclude: longRuns,
          env: { PERDURE_XSTATE_BUILD: 'development' },
        },
      },
      {
        extends: true,
        plugins: [productionBuild],
        // The oldest version that peerDependencies allow, installed under a name of its own.
        resolve: { alias: [{ find: /^xstate$/, replacement: 'xstate-oldest' }] },
        test: {
          ...allCores,
          name: 'xstate-oldest',
          include: leansOnXState,
          exclude: longRuns,
          env: { PERDURE_XSTATE_BUILD: 'production', PERDURE_XSTATE_PACKAGE: 'xstate-oldest' },
        },
      },
    ],
  },
});
