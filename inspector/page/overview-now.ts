/** The overview, which the frame keeps up to date for all: its counts stand in the sidebar, its state in the title. */
import { signal } from '@preact/signals';
import type { Overview } from '../views/overview.ts';
import type { PageError } from './page-error.ts';

export const overviewNow = signal<Overview | null>(null);
export const overviewError = signal<PageError | null>(null);
