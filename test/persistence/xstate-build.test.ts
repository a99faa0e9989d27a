import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { createActor, createMachine, fromTransition, spawnChild } from 'xstate';
import { expect, test } from 'vitest';
import { isMachine } from '../../persistence/xstate-port.ts';
import manifest from '../../package.json' with { type: 'json' };

const require = createRequire(import.meta.url);
const name = process.env['PERDURE_XSTATE_PACKAGE'] ?? 'xstate';

/** Only the development build refuses to persist a child made from inline logic; Node's build writes a dead object. */
function loadedBuild(): 'production' | 'development' {
  const inline = fromTransition(() => 0, 0);
  const actor = createActor(createMachine({ entry: spawnChild(inline, { id: 'kid' }) }));
  actor.start();
  try {
    actor.getPersistedSnapshot();
    return 'production';
  } catch (error) {
    if (String(error).includes('inline child actor')) return 'development';
    throw error;
  } finally {
    actor.stop();
  }
}

test('loads the build of XState that its project promises', () => {
  expect(loadedBuild()).toBe(process.env['PERDURE_XSTATE_BUILD']);
});

test('loads one copy of XState, ours and the tests alike: the package that its project promises', () => {
  const copies = Object.keys(require.cache).flatMap((file) => /^.*\/node_modules\/xstate[^/]*(?=\/)/.exec(file) ?? []);
  expect([...new Set(copies)]).toEqual([expect.stringMatching(new RegExp(`/node_modules/${name}$`))]);
  expect(isMachine(createMachine({}))).toBe(true);
});

test.runIf(name === 'xstate-oldest')('the oldest XState is the one that peerDependencies allow', () => {
  const { version } = JSON.parse(readFileSync(require.resolve(`${name}/package.json`), 'utf8')) as { version: string };
  expect(manifest.peerDependencies.xstate).toBe(`>=${version} <6`);
});
