/** The views of the page, in the order of the sidebar. Each is loaded when it is opened first. */
import type { ComponentType } from 'preact';
import type { Capabilities } from '../../protocol.ts';
import type { IconName } from '../icons.ts';

export interface ViewModule {
  readonly view: { readonly component: ComponentType };
}

export interface ViewSpec {
  /** Its name in the URL. */
  readonly id: string;
  readonly title: string;
  readonly icon: IconName;
  readonly group: 'Now' | 'Actors' | 'Work' | 'Measures' | 'Past';
  /** The key that goes here, after `g`. */
  readonly key: string;
  /** What it shows, in a sentence. */
  readonly help: string;
  /** Whether it can be had from whom we look at. */
  readonly supports: (capabilities: Capabilities, kind: 'server' | 'viewer' | 'file') => boolean;
  readonly load: () => Promise<ViewModule>;
}

const withSupervisor = (capabilities: Capabilities, kind: string): boolean =>
  capabilities.supervisor && kind === 'server';
const always = (): boolean => true;

// prettier-ignore
export const VIEWS: readonly ViewSpec[] = [
  { id: 'overview', title: 'Overview', icon: 'overview', group: 'Now', key: 'o', help: 'How well it is, what runs, what fails.', supports: withSupervisor, load: () => import('./overview/index.tsx') },
  { id: 'approvals', title: 'Approvals', icon: 'person', group: 'Now', key: 'p', help: 'What waits for a person to decide.', supports: withSupervisor, load: () => import('./approvals/index.tsx') },
  { id: 'notices', title: 'Notices', icon: 'notice', group: 'Now', key: 'n', help: 'What went wrong with the store and its host.', supports: withSupervisor, load: () => import('./notices/index.tsx') },
  { id: 'actors', title: 'Actors', icon: 'tree', group: 'Actors', key: 'a', help: 'The tree of actors, with their charts and contexts.', supports: always, load: () => import('./actors/index.tsx') },
  { id: 'sequence', title: 'Sequence', icon: 'sequence', group: 'Actors', key: 's', help: 'Who sent what to whom.', supports: always, load: () => import('./sequence/index.tsx') },
  { id: 'events', title: 'Events', icon: 'list', group: 'Actors', key: 'e', help: 'All that happened, in order.', supports: always, load: () => import('./events/index.tsx') },
  { id: 'work', title: 'Work', icon: 'queue', group: 'Work', key: 'w', help: 'The queue, and every action.', supports: withSupervisor, load: () => import('./work/index.tsx') },
  { id: 'plan', title: 'Plans', icon: 'graph', group: 'Work', key: 'l', help: 'Runs of plans, as graphs with their critical path.', supports: withSupervisor, load: () => import('./plan/index.tsx') },
  { id: 'timeline', title: 'Timeline', icon: 'timeline', group: 'Work', key: 't', help: 'Actions and their attempts over time.', supports: withSupervisor, load: () => import('./timeline/index.tsx') },
  { id: 'schedules', title: 'Schedules', icon: 'calendar', group: 'Work', key: 'h', help: 'What is done at certain times.', supports: withSupervisor, load: () => import('./schedules/index.tsx') },
  { id: 'dead-letters', title: 'Dead letters', icon: 'dead', group: 'Work', key: 'd', help: 'Actions that failed for good.', supports: withSupervisor, load: () => import('./dead-letters/index.tsx') },
  { id: 'profile', title: 'Profile', icon: 'flame', group: 'Measures', key: 'f', help: 'Where time goes.', supports: withSupervisor, load: () => import('./profile/index.tsx') },
  { id: 'resources', title: 'Resources', icon: 'gauge', group: 'Measures', key: 'r', help: 'Memory, disk and the rest, with forecasts.', supports: withSupervisor, load: () => import('./resources/index.tsx') },
  { id: 'budget', title: 'Budget', icon: 'budget', group: 'Measures', key: 'b', help: 'How much may still go wrong.', supports: withSupervisor, load: () => import('./budget/index.tsx') },
  { id: 'checkpoints', title: 'Checkpoints', icon: 'history', group: 'Past', key: 'c', help: 'The past: compare, look into, fork.', supports: withSupervisor, load: () => import('./checkpoints/index.tsx') },
  { id: 'audit', title: 'Audit', icon: 'audit', group: 'Past', key: 'u', help: 'Commands that were given, by whom, and what came of them.', supports: (_, kind) => kind === 'server', load: () => import('./audit/index.tsx') },
];
