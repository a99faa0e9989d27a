/**
 * Where time, resources and the error budget go: `GET /v1/views/profile?plan=`, `/v1/views/resources`, `/v1/views/budget`,
 * `/v1/views/dead-letters`, `/v1/views/schedules`.
 */
import type { BudgetReport } from '../../actors/budget-report.ts';
import type { DeadAction } from '../../actors/dead-letter-rows.ts';
import type { ProfileReport } from '../../actors/profile-report.ts';
import type { ScheduleInfo } from '../../actors/schedules.ts';
import type { BudgetTier } from '../../machines/budget-policy.ts';
import type { Flame } from '../../machines/profile-exports.ts';
import type { PressureLevel } from '../../machines/pressure.ts';
import type { ProfilerMode } from '../../machines/profiler.ts';

export interface ProfileView {
  /** Null when nothing was measured. */
  readonly report: ProfileReport | null;
  readonly flame: Flame | null;
  /** Runs of plans that were measured, the newest first. */
  readonly runs: readonly { readonly id: string; readonly name: string; readonly at: number }[];
  /** How much is measured; absent where that is not known. */
  readonly mode?: ProfilerMode;
}

export interface ResourceSeries {
  readonly name: string;
  readonly unit: string;
  readonly level: PressureLevel;
  readonly value: number;
  readonly limit: number;
  /** Of the last hour at most, the oldest first; at most 720. */
  readonly samples: readonly { readonly at: number; readonly value: number }[];
  /** When it is exhausted, as forecast: ms since 1970; null when it is not, or not soon. */
  readonly forecast: { readonly at: number; readonly earliest: number | null; readonly latest: number | null } | null;
}

export interface ResourcesView {
  readonly at: number;
  readonly admission: 'open' | 'throttled' | 'shedding';
  readonly series: readonly ResourceSeries[];
}

export interface BudgetView {
  readonly report: BudgetReport | null;
  readonly tier: BudgetTier | null;
  /** Over the period, in at most 240 parts, the oldest first. `spent` is what is gone of the budget up to then, 1 when all. */
  readonly series: readonly {
    readonly at: number;
    readonly good: number;
    readonly bad: number;
    readonly spent: number;
  }[];
}

export interface DeadLettersView {
  readonly items: readonly DeadAction[];
  readonly more: boolean;
}

export interface SchedulesView {
  readonly items: readonly ScheduleInfo[];
}
