/** What an inspector looks at, and everything that it answers from. */
import type { AnyActorRef } from 'xstate';
import { Supervisor } from '../actors/supervisor.ts';
import { PerdureError } from '../errors.ts';
import { shown } from '../machines/option-keys.ts';
import { DurableActor } from '../persistence/durable.ts';
import { redaction } from '../persistence/redaction.ts';
import { isActorRef } from '../persistence/xstate-port.ts';
import type { CommandDesk } from './commands.ts';
import { liveSource } from './live-source.ts';
import { CommitCounter, metricsText, viewerMetrics } from './metrics.ts';
import type { InspectorOptions } from './options.ts';
import { prometheusText } from './prometheus.ts';
import type { KnownCommand } from './protocol.ts';
import type { RouteWorld } from './routes.ts';
import type { Source } from './source.ts';

/** A supervisor, a durable actor, any actor of XState, or a source that was opened before. */
// oxlint-disable-next-line typescript/no-explicit-any -- Actions and logic stand on both sides of these, so nothing else takes them all.
export type InspectorTarget = Supervisor<any> | DurableActor<any> | AnyActorRef | Source;

/** What an inspector answers from. */
export interface Inspected {
  readonly source: Source;
  readonly desk: CommandDesk | undefined;
  readonly knownCommands: readonly KnownCommand[];
  /** Takes secrets out of a value. */
  readonly shown: (value: unknown) => unknown;
  readonly metrics: (viewers: number) => Promise<string>;
  readonly profile?: RouteWorld['profile'];
  /** Lets go of what was made for it; what is looked at goes on. */
  readonly letGo: () => Promise<void>;
}

/** Throws OPTIONS_INVALID for what cannot be looked at. */
export function inspectedOf(target: InspectorTarget, { desk }: Pick<InspectorOptions, 'desk'>): Inspected {
  if (target instanceof Supervisor) return ofSupervisor(target, desk);
  if (target instanceof DurableActor || isActorRef(target)) return ofActor(target, desk);
  // Whoever opened it closes it.
  if (isSource(target)) return { source: target, desk, ...plain(), letGo: async () => {} };
  throw new PerdureError(
    'OPTIONS_INVALID',
    `What is inspected must be a supervisor, a durable actor or an actor of XState, got ${shown(target)}.`,
  );
}

// oxlint-disable-next-line typescript/no-explicit-any -- As above.
function ofSupervisor(supervisor: Supervisor<any>, desk: CommandDesk | undefined): Inspected {
  const { durable, profiler } = supervisor;
  const commits = new CommitCounter(durable.store);
  const inspected = ofActor(durable, desk);
  return {
    ...inspected,
    metrics: (viewers) => metricsText(supervisor, commits, viewers),
    profile: {
      cpuProfile: (plan) => profiler.cpuProfile(plan === undefined ? {} : { plan }),
      trace: () => profiler.chromeTrace(),
    },
    letGo() {
      commits.close();
      return inspected.letGo();
    },
  };
}

// oxlint-disable-next-line typescript/no-explicit-any -- As above.
function ofActor(
  actor: Supervisor<any>['durable'] | DurableActor<any> | AnyActorRef,
  desk: CommandDesk | undefined,
): Inspected {
  const source = liveSource(actor);
  const isDurable = actor instanceof DurableActor;
  const shownOf = isDurable ? (value: unknown) => actor.store.commits.payloads.shown(value) : redaction();
  return { source, desk, ...plain(), shown: shownOf, letGo: () => source.close() };
}

/** What is known of anything. */
function plain(): Pick<Inspected, 'shown' | 'metrics' | 'knownCommands'> {
  return { knownCommands: [], shown: redaction(), metrics: async (viewers) => prometheusText(viewerMetrics(viewers)) };
}

function isSource(target: object): target is Source {
  const { epoch, registry, recordsFrom } = target as Partial<Source>;
  return typeof epoch === 'string' && typeof registry === 'function' && typeof recordsFrom === 'function';
}
