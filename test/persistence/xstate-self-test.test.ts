/** A port that is broken in one place, as a release of XState might break it, for each thing that is proved. */
import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import * as port from '../../persistence/xstate-port.ts';
import { PROVED, XSTATE_RANGE, proveXState } from '../../persistence/xstate-self-test.ts';
import type { AnyRef, TreeHooks } from '../../persistence/xstate-port.ts';

type Port = typeof port;
type Created = Parameters<Port['createRoot']>;

/** Hooks, a scheduler or options with something else in one place. */
function except<T extends object>(whole: T, changes: object): T {
  return Object.assign(Object.create(whole) as T, changes);
}

const nothing = () => {};

const withHooks = (change: (hooks: TreeHooks) => object): Partial<Port> => ({
  createRoot: (logic, options, hooks, scheduler) =>
    port.createRoot(logic, options, except(hooks, change(hooks)), scheduler),
});

/** The children of whoever is asked, after something was done to one of them. */
const withChild = (key: string, change: (child: AnyRef) => void): Partial<Port> => {
  const changed = new WeakSet<AnyRef>();
  return {
    childrenOf: (snapshot) => {
      const children = port.childrenOf(snapshot);
      const child = children?.[key];
      if (child !== undefined && !changed.has(child)) change(child);
      if (child !== undefined) changed.add(child);
      return children;
    },
  };
};

const whenRestored = (change: (args: Created) => AnyRef): Partial<Port> => ({
  createRoot: (...args) => (args[1].snapshot === undefined ? port.createRoot(...args) : change(args)),
});

function started(ref: AnyRef): AnyRef {
  ref.start();
  return ref;
}

const shared = {};

/** In the order in which things are proved. */
const broken: readonly Partial<Port>[] = [
  { durable: (logic) => logic },
  { listensTo: () => false },
  { createRoot: (...args) => started(port.createRoot(...args)) },
  {
    createRoot: (logic, options, hooks, scheduler) =>
      port.createRoot(logic, options, hooks, except(scheduler, { schedule: nothing })),
  },
  withHooks(() => ({ stepped: nothing })),
  // The start and the first event pass, the second does not.
  withHooks((hooks) => {
    let passing = 2;
    return { touched: (ref: AnyRef) => passing-- > 0 && hooks.touched(ref) };
  }),
  { logicOf: () => undefined },
  { childrenOf: (snapshot) => Object.assign(shared, port.childrenOf(snapshot)) },
  withChild('kid', (kid) => Object.assign(kid, { systemId: undefined })),
  { isRunning: () => false },
  withChild('leaf', (leaf) => Object.assign(leaf, { _parent: undefined })),
  { isSynced: () => null },
  withChild('numbers', (numbers) =>
    Object.defineProperty((numbers as unknown as { mailbox: object }).mailbox, '_active', {
      get: () => true,
      set: nothing,
    }),
  ),
  withHooks(() => ({ resulted: nothing })),
  { failureInsteadOf: ({ type }, data) => ({ type: type.replace(/next|resolve/, 'reject'), data }) },
  withHooks((hooks) => ({
    resulted: (...args: Parameters<TreeHooks['resulted']>) => {
      if (!args[1].type.startsWith('xstate.promise')) hooks.resulted(...args);
    },
  })),
  { failureInsteadOf: ({ type }, data) => ({ type: type.replace(/next|resolve/, 'error'), data }) },
  withHooks((hooks) => ({
    effectCreated: (...[ref, effect]: Parameters<TreeHooks['effectCreated']>) =>
      hooks.effectCreated(ref, ref.id === 'broken' ? { ...effect, start: nothing } : effect),
  })),
  withHooks(() => ({ effectTold: (_: AnyRef, tell: () => void) => tell() })),
  { ownSnapshot: (ref) => ({ ...port.ownSnapshot(ref), children: {} }) },
  {
    ownSnapshot: (ref) => {
      const { output: _, ...own } = port.ownSnapshot(ref);
      return own;
    },
  },
  withHooks(() => ({ effectEnded: nothing })),
  {
    createRoot: (logic, options, hooks, scheduler) =>
      port.createRoot(logic, options, hooks, except(scheduler, { cancelAll: nothing })),
  },
  whenRestored(([logic, options, ...more]) =>
    port.createRoot(logic, { ...options, snapshot: { ...options.snapshot, children: {} } as never }, ...more),
  ),
  { isSynced: (ref) => port.isSynced(ref) ?? 0 },
  { putValues: nothing },
  { forgetStored: nothing },
  whenRestored((args) => except(port.createRoot(...args), { start: nothing })),
  withHooks(() => ({ refused: nothing })),
];

test('the XState that is installed is what the port leans on', () => {
  expect(() => proveXState()).not.toThrow();
});

test.each(PROVED.map((what, index) => [what, index] as const))('says so when it is not true that %s', (what, index) => {
  const attempt = () => proveXState({ ...port, ...broken[index] });
  const facts = { what, expected: XSTATE_RANGE, found: expect.stringMatching(/^5\.\d+\.\d+$/) };
  expect(attempt).toThrow(expect.objectContaining({ code: 'XSTATE_UNSUPPORTED', facts }));
  expect(attempt).toThrow(what);
});

test('says what threw, when something that the port leans on is gone', () => {
  const gone = () => {
    throw new TypeError('implementations is undefined');
  };
  expect(() => proveXState({ ...port, durable: gone })).toThrow(
    expect.objectContaining({ code: 'XSTATE_UNSUPPORTED', cause: expect.any(TypeError) }),
  );
});

test('names the versions that package.json allows', () => {
  const { peerDependencies } = JSON.parse(readFileSync('package.json', 'utf8')) as {
    peerDependencies: { xstate: string };
  };
  expect(peerDependencies.xstate).toBe(XSTATE_RANGE);
});
