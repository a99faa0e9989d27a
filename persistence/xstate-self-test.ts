/**
 * Proves, before the first tree of a process, that the XState that was loaded is still the one that xstate-port.ts leans
 * on. A patch release may move what was never promised; then no tree may start, because it would run and lose things.
 *
 * One tiny tree goes through the port; each probe takes a step, and looks at what came of it. A probe may use what those
 * before it left. Nothing here touches a store, a clock or the host.
 */
import { createRequire } from 'node:module';
import { PerdureError } from '../errors.ts';
import * as xstatePort from './xstate-port.ts';
import { Trial, logicOf } from './xstate-trial.ts';

/** What peerDependencies say. */
export const XSTATE_RANGE = '>=5.22.1 <6';

let proved = false;

/** {@link proveXState}, once in a process. Throws XSTATE_UNSUPPORTED. */
export function proveXStateOnce(): void {
  if (proved) return;
  proveXState();
  proved = true;
}

/** Throws XSTATE_UNSUPPORTED, naming the first thing that is not as the port needs it. */
export function proveXState(port: typeof xstatePort = xstatePort): void {
  const trial = new Trial(port);
  for (const [what, holds] of probes) {
    let cause: unknown;
    try {
      if (holds(trial)) continue;
    } catch (error) {
      cause = error;
    }
    throw unsupported(what, cause);
  }
}

function unsupported(what: string, cause: unknown): PerdureError {
  const found = foundVersion();
  return new PerdureError(
    'XSTATE_UNSUPPORTED',
    `Perdure needs that ${what}; in the xstate that was loaded (${found}) it is not so, and trees would lose something. ` +
      `Nothing was started: install a version of xstate within ${XSTATE_RANGE} other than this one.`,
    { facts: { found, expected: XSTATE_RANGE, what }, ...(cause === undefined ? {} : { cause }) },
  );
}

function foundVersion(): string {
  try {
    return (createRequire(import.meta.url)('xstate/package.json') as { version: string }).version;
  } catch {
    // In a bundle there is no package.json to ask; the rest of the message is worth saying all the same.
    return 'version unknown';
  }
}

type Probe = readonly [what: string, holds: (trial: Trial) => boolean];

/** Taken in this order. `what` completes "Perdure needs that". */
const probes: readonly Probe[] = [
  [
    'a machine can be built again from its `config` and its `implementations`',
    (trial) => {
      const { port, machine } = trial;
      trial.logic = port.durable(machine);
      return trial.logic !== machine && port.isMachine(trial.logic) && port.machineName(trial.logic) === 'trial@1';
    },
  ],
  ['a machine lists its `events`', ({ port, logic }) => port.listensTo(logic, 'tell')],
  [
    'an actor keeps its logic, asks it for the first snapshot when it is created, and does not start by itself',
    (trial) => {
      const { port, logic, first } = trial;
      trial.root = port.createRoot(logic, { id: 'root' }, first, first);
      const { root } = trial;
      return port.isActorRef(root) && logicOf(root) === logic && !port.isRunning(root) && first.took('born root');
    },
  ],
  [
    '`after` is scheduled through `system.scheduler`, which can be replaced, under an id by which it is cancelled',
    ({ root, first }) => {
      root.start();
      root.send({ type: 'next' });
      const { source, target, delayMs, id } = first.timers[0] ?? {};
      const isDelayed = source === root && target === root && delayMs === 1_000;
      return isDelayed && id !== undefined && first.took(`cancelled ${id} of root`);
    },
  ],
  [
    'the entry of a first state runs when its actor starts, through `actionExecutor`, in the order of `defer`',
    ({ outside }) => outside.entered === 1 && outside.steps === 0,
  ],
  [
    'every event passes through `logic.transition`',
    ({ root, first }) => {
      root.send({ type: 'back' });
      return first.took('touched root');
    },
  ],
  [
    'an invoke of inline logic is named `xstate.invoke.N.id`, after the state that it stands in',
    (trial) => trial.port.logicOf(trial.logic, trial.child('inline').src as string) === logicOf(trial.child('inline')),
  ],
  [
    'a spawn replaces the record of children',
    (trial) => {
      const before = trial.children();
      trial.root.send({ type: 'spawn' });
      return before !== trial.children() && !('kid' in before) && trial.port.isActorRef(trial.child('kid'));
    },
  ],
  ['an actor tells its `systemId`', (trial) => (trial.child('kid') as { systemId?: string }).systemId === 'kid'],
  ['an actor tells by `_processingStatus` that it runs', (trial) => trial.port.isRunning(trial.child('kid'))],
  [
    'an actor tells its `_parent`',
    (trial) => trial.port.pathOf(trial.child('leaf', trial.child('kid'))) === 'kid/leaf',
  ],
  [
    'an actor tells by `options.syncSnapshot` whether its parent hears its snapshots, as `xstate.snapshot.id`',
    (trial) => {
      const synced = ['kid', 'line'].map((key) => trial.port.isSynced(trial.child(key)));
      return synced[0] === 1 && synced[1] === 0 && trial.heard('xstate.snapshot.kid');
    },
  ],
  [
    'an effect begins in `logic.start`, and what it sends meanwhile waits in the `mailbox` until it has begun',
    (trial) => {
      trial.first.effects.get('numbers')?.start();
      const { context } = trial.child('numbers').getSnapshot() as { context?: unknown };
      return trial.outside.during === undefined && context === 1;
    },
  ],
  [
    'an observable tells its values as `xstate.observable.next`',
    ({ first }) => first.took('xstate.observable.next numbers'),
  ],
  [
    'an observable fails by `xstate.observable.error`, and its parent hears `xstate.error.actor.id`',
    (trial) => {
      const failure = trial.port.failureInsteadOf({ type: 'xstate.observable.next' }, refusal());
      trial.child('numbers').send(failure);
      return trial.status('numbers') === 'error' && trial.heard('xstate.error.actor.numbers');
    },
  ],
  [
    'a promise settles by `xstate.promise.resolve`, and its parent hears `xstate.done.actor.id`',
    (trial) => {
      trial.child('kept').send({ type: 'xstate.promise.resolve', data: 1 });
      const isDone = trial.status('kept') === 'done' && trial.heard('xstate.done.actor.kept');
      return isDone && trial.first.took('xstate.promise.resolve kept');
    },
  ],
  [
    'a promise fails by `xstate.promise.reject`',
    (trial) => {
      trial.child('lost').send(trial.port.failureInsteadOf({ type: 'xstate.promise.resolve' }, refusal()));
      return trial.status('lost') === 'error';
    },
  ],
  [
    'an actor whose transition throws fails, and its parent with it unless it listens',
    (trial) => {
      trial.first.effects.get('broken')?.start();
      return trial.status('broken') === 'error' && trial.heard('xstate.error.actor.broken');
    },
  ],
  [
    'a callback keeps no state of its own, and is known by `logic.config`',
    (trial) => {
      trial.first.effects.get('line')?.start();
      trial.root.send({ type: 'tell' });
      const early = trial.outside.log.length;
      for (const tell of trial.first.tells) tell();
      return early === 0 && trial.outside.log[0] === 'told';
    },
  ],
  [
    "a machine's own state is its snapshot without children: status, value, historyValue and context",
    ({ port, root }) => {
      const own = port.ownSnapshot(root);
      const { context } = root.getSnapshot() as { context: unknown };
      return Object.keys(own).sort().join() === 'context,historyValue,status,value' && own['context'] === context;
    },
  ],
  [
    "an effect's own state is its snapshot: status, input, output and error",
    (trial) => {
      const [own, done] = ['line', 'kept'].map((key) => Object.keys(trial.port.ownSnapshot(trial.child(key))).sort());
      return own?.join() === 'status' && done?.join() === 'output,status';
    },
  ],
  [
    'an effect is stopped by `xstate.stop`, also when it was told so before it was asked to clean up',
    (trial) => {
      const line = trial.child('line');
      trial.root.send({ type: 'stop' });
      trial.first.effects.get('line')?.stop();
      const wasTold = trial.first.log.includes('ended line') && trial.outside.log[1] === 'closed';
      return wasTold && !trial.port.isRunning(line) && !('kid' in trial.children());
    },
  ],
  ['an actor that stops cancels all that it delayed', ({ first }) => first.took('cancelled all of kid')],
  [
    'a tree is built from nested snapshots, and the record of a child gives it its `src` and its `systemId`',
    (trial) => {
      const { port, logic, second } = trial;
      const kid = {
        snapshot: { status: 'active', value: {}, context: {}, children: {}, historyValue: {} },
        src: 'kid',
      };
      const snapshot = { ...port.ownSnapshot(trial.root), children: { kid: { ...kid, systemId: 'kid' } } };
      trial.back = port.createRoot(logic, { id: 'root', snapshot: snapshot as never }, second, second);
      const found = trial.child('kid', trial.back);
      return found.src === 'kid' && trial.back.system.get('kid') === found && !port.isRunning(found);
    },
  ],
  ['a child that is built without `syncSnapshot` has none', (t) => t.port.isSynced(t.child('kid', t.back)) === null],
  [
    'the snapshot of a restored actor is its own, and takes another context',
    ({ port, back }) => {
      const context = { heard: [] };
      port.putValues(back, { context });
      return (back.getSnapshot() as { context: unknown }).context === context;
    },
  ],
  [
    'an actor keeps what it was restored from in `options.snapshot`, from where it can be taken',
    ({ port, back }) => {
      const options = (back as unknown as { options: { snapshot?: unknown } }).options;
      const kept = options.snapshot !== undefined;
      port.forgetStored(back);
      return kept && options.snapshot === undefined;
    },
  ],
  [
    'a restored tree starts whole, without entering its states again',
    (trial) => {
      trial.back.start();
      return trial.port.isRunning(trial.child('kid', trial.back)) && trial.second.timers.length === 0;
    },
  ],
  [
    'a child that was given no id is stored under `undefined`',
    ({ root, first }) => {
      root.send({ type: 'nameless' });
      return first.took('refused CHILD_ID_MISSING');
    },
  ],
];

/** What is proved, in its order. */
export const PROVED: readonly string[] = probes.map(([what]) => what);

function refusal(): PerdureError {
  return new PerdureError('CODEC_REFUSED', 'A trial.');
}
