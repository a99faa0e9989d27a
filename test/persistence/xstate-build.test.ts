import { createActor, createMachine, fromTransition, spawnChild } from 'xstate';
import { expect, test } from 'vitest';

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
