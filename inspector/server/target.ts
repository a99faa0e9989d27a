/** What an inspector looks at, and everything that it answers from. */
import type { AnyActorRef } from 'xstate';
import { Supervisor } from '../../actors/supervisor.ts';
import { PerdureError } from '../../errors.ts';
import { shown } from '../../machines/option-keys.ts';
import { DurableActor } from '../../persistence/durable.ts';
import { redaction } from '../../persistence/redaction.ts';
import { Store } from '../../persistence/store.ts';
import { shownWithTexts } from '../../persistence/shown-texts.ts';
import { isActorRef } from '../../persistence/xstate-port.ts';
import { deskOfActor } from '../commands/actor-desk.ts';
import { deskOf, type CommandDesk } from '../commands/commands.ts';
import { liveSource } from '../sources/live-source.ts';
import { CommitCounter, metricsText, viewerMetrics } from './metrics.ts';
import type { InspectorOptions } from './options.ts';
import { prometheusText } from './prometheus.ts';
import type { RouteWorld } from './routes.ts';
import type { Source } from '../sources/source.ts';

// oxlint-disable-next-line typescript/no-explicit-any -- Actions stand on both sides of a supervisor, so nothing else takes them all.
export type AnySupervisor = Supervisor<any>;

// oxlint-disable-next-line typescript/no-explicit-any -- Logic stands on both sides of it.
type AnyDurable = DurableActor<any>;

/** A supervisor, a durable actor, any actor of XState, or a source that was opened before. */
export type InspectorTarget = AnySupervisor | AnyDurable | AnyActorRef | Source;

/** What an inspector answers from. */
export interface Inspected {
  readonly source: Source;
  readonly desk: CommandDesk | undefined;
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
  if (target instanceof DurableActor) return ofDurable(target, desk);
  if (isActorRef(target)) return ofActor(target as AnyActorRef, desk);
  // Whoever opened it closes it.
  if (isSource(target)) return { source: target, desk, ...plain(), letGo: async () => {} };
  throw new PerdureError(
    'OPTIONS_INVALID',
    `What is inspected must be a supervisor, a durable actor or an actor of XState, got ${kindOf(target)}.`,
  );
}

function kindOf(target: unknown): string {
  if (!(target instanceof Store)) return shown(target);
  return 'a store: give one of its trees, `await store.open(...)`, or `storeSource(path)`, as `perdure inspect` does for all of it';
}

function ofSupervisor(supervisor: AnySupervisor, desk: CommandDesk | undefined): Inspected {
  const { durable, profiler } = supervisor;
  const commits = new CommitCounter(durable.store);
  const source = liveSource(supervisor);
  const giving = desk ?? deskOf(supervisor);
  return {
    source,
    desk: giving,
    shown: (value) => shownWithTexts(durable.store.commits.payloads, value),
    metrics: (viewers) => metricsText(supervisor, commits, viewers),
    profile: {
      cpuProfile: (plan) => profiler.cpuProfile(plan === undefined ? {} : { plan }),
      trace: () => profiler.chromeTrace(),
    },
    letGo() {
      commits.close();
      if (giving !== desk) giving.close();
      return source.close();
    },
  };
}

function ofDurable(durable: AnyDurable, desk: CommandDesk | undefined): Inspected {
  const source = liveSource(durable);
  const giving = desk ?? deskOf(durable);
  return {
    source,
    desk: giving,
    ...plain(),
    shown: (value) => shownWithTexts(durable.store.commits.payloads, value),
    letGo() {
      if (giving !== desk) giving.close();
      return source.close();
    },
  };
}

function ofActor(actor: AnyActorRef, desk: CommandDesk | undefined): Inspected {
  const source = liveSource(actor);
  const giving = desk ?? deskOfActor(actor, actor.id, redaction());
  return {
    source,
    desk: giving,
    ...plain(),
    letGo() {
      if (giving !== desk) giving.close();
      return source.close();
    },
  };
}

/** What is known of anything. */
function plain(): Pick<Inspected, 'shown' | 'metrics'> {
  return { shown: redaction(), metrics: async (viewers) => prometheusText(viewerMetrics(viewers)) };
}

function isSource(target: unknown): target is Source {
  const { epoch, registry, recordsFrom } = Object(target) as Partial<Source>;
  return typeof epoch === 'string' && typeof registry === 'function' && typeof recordsFrom === 'function';
}
