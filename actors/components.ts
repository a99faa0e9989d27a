/** What a host says of the dependencies that its actions lean on. */
import { componentPolicies, type ComponentOptions, type ComponentPolicy } from '../machines/component-policy.ts';
import { DEFAULT_LOSS, type Fallback } from './action-context.ts';

/** A dependency: with a circuit breaker, a retry budget, and what stands in for it. */
export interface ComponentDefinition extends ComponentOptions {
  /** What its actions do when they have failed for good, by name; the least loss of quality goes first. */
  readonly fallbacks?: Readonly<Record<string, Fallback<never, unknown>>>;
}

/** Components by name. */
export type Components = Readonly<Record<string, ComponentDefinition>>;

type Fallbacks = Readonly<Record<string, { readonly qualityLoss?: number }>>;

/**
 * What the machines must know of the components that are defined, or that actions name. Throws OPTIONS_INVALID.
 *
 * @param leaning the component that each action names, and the action's own fallbacks.
 */
export function policiesOf(
  components: Components,
  leaning: readonly { readonly component: string; readonly fallbacks: Fallbacks }[],
): Record<string, ComponentPolicy> {
  const options: Record<string, ComponentOptions> = {};
  const losses: Record<string, number[]> = {};
  const add = (name: string, fallbacks: Fallbacks) =>
    (losses[name] ??= []).push(...Object.values(fallbacks).map(({ qualityLoss = DEFAULT_LOSS }) => qualityLoss));
  for (const { component, fallbacks } of leaning) {
    options[component] = {};
    add(component, fallbacks);
  }
  for (const [name, { fallbacks = {}, ...rest }] of Object.entries(components)) {
    options[name] = rest;
    add(name, fallbacks);
  }
  return componentPolicies(options, losses);
}
