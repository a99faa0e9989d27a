/** How the components and the error budget of a store stand, as its last commit has it, read from beside. */
import type { DebtRow } from '../actors/queue-tables.ts';
import { openDebts } from '../actors/debts.ts';
import { storedStates } from '../actors/stored-standing.ts';
import type { BudgetTier } from '../machines/budget-policy.ts';
import { measuresOf } from '../machines/burn.ts';
import { componentReport, type ComponentContext, type ComponentReport } from '../machines/component.ts';
import { componentId } from '../machines/degradation.ts';
import { hasTable, type StoreReader } from '../persistence/store-reader.ts';

export interface Standing {
  /** Absent where no supervisor has told, and where only the owner can read it. */
  readonly budget?: BudgetTier;
  readonly components: readonly ComponentReport[];
  /** Work that is owed since a fallback stood in, the oldest first. */
  readonly debts: readonly DebtRow[];
}

/** Reads it of the supervisor that `perdure run` starts. */
export function standingOf(rows: StoreReader): Standing {
  const budget = storedStates(rows, 'budget')[0]?.value as { readonly tier?: BudgetTier } | undefined;
  const components = storedStates(rows, componentId('%')).map((snapshot) =>
    componentReport(snapshot as { value: unknown; context: ComponentContext }),
  );
  return {
    ...(budget?.tier === undefined ? {} : { budget: budget.tier }),
    components: components.toSorted((a, b) => (a.name < b.name ? -1 : 1)),
    debts: hasTable(rows, 'debts') ? openDebts(rows) : [],
  };
}

/** What is not as it should be, as lines. */
export function standingLines({ budget, components, debts }: Standing): string[] {
  const away = components.filter(({ status }) => status !== 'operational');
  const owed = debts.filter(({ state }) => state !== 'unpayable');
  const unpayable = debts.filter(({ state }) => state === 'unpayable');
  return [
    ...(budget === undefined || budget === 'healthy' ? [] : [`error budget: ${tierText(budget)}`]),
    ...away.map((component) => `component ${component.name}: ${componentText(component)}`),
    ...debtLine('owed since a fallback stood in', owed),
    ...debtLine('owed, and failed for good when it was tried', unpayable),
  ];
}

function debtLine(what: string, debts: readonly DebtRow[]): string[] {
  return debts.length === 0 ? [] : [`${what}: ${debts.map(({ id }) => id).join(', ')}`];
}

/** What a tier does. */
export function tierText(tier: BudgetTier): string {
  const { share, freezeOptional } = measuresOf(tier);
  const what = [
    ...(tier === 'healthy' ? ['nothing is held back'] : ['the gate is stricter']),
    ...(share === 1 ? [] : [`${share * 100} % of the steps at once`]),
    ...(freezeOptional ? ['optional steps wait'] : []),
  ];
  return `${tier}: ${what.join(', ')}`;
}

/** How a component is, and since it matters, until when. */
export function componentText({ status, openUntil }: Pick<ComponentReport, 'status' | 'openUntil'>): string {
  const until = openUntil === null ? '' : `; tried again after ${new Date(openUntil).toISOString()}`;
  if (status === 'degraded') return `its circuit is open, fallbacks stand in${until}`;
  if (status === 'down') return `its circuit is open, and nothing stands in${until}`;
  if (status === 'probing') return 'is being tried again';
  return status === 'bypassed' ? 'bypassed by an operator' : 'works';
}
