/**
 * How much is measured of where time goes, as an actor, so that it is the same after a restart. Spans never come here: they are
 * telemetry, and no turn.
 *
 *   sampling <──profiler.configure──> full <──profiler.configure──> off
 */
import { assign, setup } from 'xstate';
import { notProvided } from './not-provided.ts';

/** `sampling` measures as much as costs little; `full` everything, and the turns and actors of the supervisor itself. */
export type ProfilerMode = 'off' | 'sampling' | 'full';

export const PROFILER_MODES: readonly ProfilerMode[] = ['off', 'sampling', 'full'];

export type ProfilerCommand =
  | { readonly type: 'profiler.configure'; readonly mode: ProfilerMode; readonly at: number }
  /** A run of a plan was slower than those before it. */
  | ({ readonly type: 'profiler.found' } & Slowdown);

/** Operations of a run that took longer than in earlier runs of the plan. */
export interface Slowdown {
  /** The run. */
  readonly plan: string;
  readonly name: string;
  /** The slowest first, at most ten: what is within another is told as a path, from the outermost. */
  readonly operations: readonly { readonly path: readonly string[]; readonly ratio: number }[];
  readonly at: number;
}

/** What it tells the supervisor, and the supervisor the world. */
export type ProfilerNotice =
  | { readonly type: 'profiler.changed'; readonly mode: ProfilerMode; readonly at: number }
  | ({ readonly type: 'profiler.regressed' } & Slowdown);

/** What survives a restart. */
export interface ProfilerContext {
  /** Runs that were slower, so far. */
  readonly regressed: number;
}

type Args = { readonly event: Extract<ProfilerCommand, { type: 'profiler.configure' }> };

const announcing = {
  type: 'announce',
  params: ({ event: { mode, at } }: Args) => ({ notice: { type: 'profiler.changed' as const, mode, at } }),
} as const;

/** Every mode but the one that it is in. */
function switching(present: ProfilerMode) {
  return PROFILER_MODES.filter((mode) => mode !== present).map((mode) => ({
    guard: ({ event }: Args) => event.mode === mode,
    target: mode,
    actions: announcing,
  }));
}

/** Keeps the mode of the profiler, and tells of runs that have become slower. */
export const profilerMachine = setup({
  types: {} as { context: ProfilerContext; events: ProfilerCommand },
  actions: {
    count: assign({ regressed: ({ context }) => context.regressed + 1 }),
    /** Tells the supervisor. Named and not done here, so that the machine can be stepped alone. */
    announce: notProvided('profiler', 'announce') as (_: unknown, p: { notice: ProfilerNotice }) => void,
  },
}).createMachine({
  id: 'profiler',
  version: '1',
  context: { regressed: 0 },
  initial: 'sampling',
  on: {
    'profiler.found': {
      actions: [
        'count',
        {
          type: 'announce',
          params: ({ event: { type: _, ...found } }) => ({ notice: { type: 'profiler.regressed' as const, ...found } }),
        },
      ],
    },
  },
  states: {
    off: { on: { 'profiler.configure': switching('off') } },
    sampling: { on: { 'profiler.configure': switching('sampling') } },
    full: { on: { 'profiler.configure': switching('full') } },
  },
});
