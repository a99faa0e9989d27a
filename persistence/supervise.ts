/**
 * Supervision of the children of a machine, with OTP's meaning. It is decided in `supervision.ts`, done in
 * `supervisor-step.ts`, and remembered as `supervision-state.ts` says; XState's inside is met in `xstate-restart.ts`.
 */
import { checked, type SrcOf, type SupervisionOptions } from './supervision-options.ts';
import { rememberChild } from './supervision-state.ts';
import { superviseChildren } from './supervisor-step.ts';
import { addLayer, copyMachine, type AnyEventObject, type AnyStateMachine, type Logic } from './xstate-port.ts';
import { layered, witnessed } from './xstate-restart.ts';

/** What a supervising actor emits. `reason` is the child's error, or `'done'` when it had finished. */
export type SupervisionEmitted =
  /** `restarts`: how many the window holds, this one included. */
  | {
      readonly type: 'child.restarted';
      readonly child: string;
      readonly src: string;
      readonly reason: unknown;
      readonly restarts: number;
    }
  /** The supervisor gives up. */
  | { readonly type: 'child.exceeded'; readonly child: string; readonly src: string; readonly reason: unknown }
  /** A temporary child failed, and the machine does not listen for it. */
  | { readonly type: 'child.failed'; readonly child: string; readonly src: string; readonly reason: unknown }
  /** Something was sent to a reference of a child that was replaced. */
  | {
      readonly type: 'child.deadLettered';
      readonly child: string;
      readonly src: string;
      readonly event: AnyEventObject;
    };

/**
 * The same machine, whose children are supervised: a child that fails does not fail its parent, it is restarted by its
 * spec. Works in a durable tree and with a plain `createActor`. Throws OPTIONS_INVALID.
 *
 * The machine's own `onError` does not hear of permanent and transient children: when the intensity is exceeded the
 * supervised children are stopped and the machine itself fails with SUPERVISION_EXCEEDED, which its parent hears.
 * `onDone` hears of transient and temporary children; `onError` of temporary ones. Restarted children are addressed by
 * `systemId` or by the parent's `sendTo(id)`: a reference to the old child is dead, and what it is sent is reported.
 *
 * @example
 * const shop = supervise(shopMachine, {
 *   strategy: 'rest_for_one',
 *   intensity: 3,
 *   periodMs: 60_000,
 *   children: { stock: { restart: 'permanent' }, orders: { restart: 'transient', shutdown: 2_000 } },
 * });
 */
export function supervise<TMachine extends AnyStateMachine>(
  machine: TMachine,
  options: SupervisionOptions<SrcOf<TMachine>>,
): TMachine {
  const policy = checked(machine, options as SupervisionOptions);
  const child = (logic: Logic, src: string) =>
    Object.hasOwn(policy.children, src) ? layered(witnessed(logic), new WeakMap(), (one) => one, rememberChild) : logic;
  const copy = copyMachine(machine, new WeakMap(), child);
  addLayer(copy, (next) => superviseChildren(next, policy));
  copy.provide = (implementations) => supervise(machine.provide(implementations), options as never);
  return copy as TMachine;
}
