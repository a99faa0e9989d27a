import { defineConfig } from 'vitest/config';

/** XState ships two builds; Node takes the production one unless the `development` condition is set. */
const development = { resolve: { conditions: ['development'] }, ssr: { resolve: { conditions: ['development'] } } };

export default defineConfig({
  test: {
    testTimeout: 20_000,
    pool: 'forks',
    projects: [
      {
        extends: true,
        test: { name: 'unit', include: ['test/**/*.test.ts'], exclude: ['test/recovery/**'] },
      },
      {
        extends: true,
        test: { name: 'recovery', include: ['test/recovery/**/*.test.ts'], testTimeout: 600_000, hookTimeout: 120_000 },
      },
      {
        extends: true,
        ...development,
        test: {
          name: 'xstate-development',
          include: ['test/persistence/**/*.test.ts', 'test/machines/**/*.test.ts', 'test/properties/**/*.test.ts'],
          server: { deps: { inline: ['xstate'] } },
          env: { PERDURE_XSTATE_BUILD: 'development' },
        },
      },
    ],
  },
});
