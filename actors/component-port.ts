/** How an action reaches the component that it leans on: by the systemId of the component's actor, in the same turn. */
import { enqueueActions, raise, type ActorSystem, type ActorSystemInfo, type AnyActorRef } from 'xstate';
import type { ActionContext, ActionEvent } from '../machines/action-state.ts';
import type { ComponentEvent } from '../machines/component.ts';
import { componentId } from '../machines/degradation.ts';
import type { Clock } from '../persistence/clock.ts';

function refOf(system: ActorSystem<ActorSystemInfo>, component: string): AnyActorRef | undefined {
  return system.get(componentId(component)) as AnyActorRef | undefined;
}

/** The action's ways to its component. Of one that there is none of any more, nobody refuses. */
export const componentActions = (clock: Pick<Clock, 'now'>) => ({
  askComponent: enqueueActions<
    ActionContext,
    ActionEvent,
    { component: string; retry: boolean },
    ActionEvent,
    never,
    never,
    never,
    never,
    never
  >(({ enqueue, system, self }, { component, retry }) => {
    const ref = refOf(system, component);
    if (ref === undefined) enqueue.raise({ type: 'action.permitted', probe: false, generation: 0 });
    else enqueue.sendTo(ref, { type: 'component.ask', asker: self, retry, at: clock.now() });
  }),
  tellComponent: enqueueActions<
    ActionContext,
    ActionEvent,
    { component: string; event: ComponentEvent } | null,
    ActionEvent,
    never,
    never,
    never,
    never,
    never
  >(({ enqueue, system }, said) => {
    const ref = said === null ? undefined : refOf(system, said.component);
    if (said !== null && ref !== undefined) enqueue.sendTo(ref, said.event);
  }),
  /** Nothing is known to help yet: whoever remembers fixes answers here. */
  recall: raise<ActionContext, ActionEvent, ActionEvent, { id: string }, never, never>({
    type: 'action.recalled',
    fix: null,
  }),
});
