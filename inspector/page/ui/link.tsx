import type { ComponentChildren } from 'preact';
import { shortId } from '../format.ts';
import { href, type Params } from '../location.ts';

export interface LinkProps {
  readonly view: string;
  readonly params?: Params;
  readonly children: ComponentChildren;
  readonly class?: string;
  readonly title?: string;
}

/** A link to a place in the page. */
export function Link({ view, params = {}, children, class: className, title }: LinkProps) {
  return (
    <a class={className ?? 'link'} href={href(view, params)} title={title}>
      {children}
    </a>
  );
}

/** An action: its name, and its id in small; it leads to the action in the list of work. */
export function ActionLink({ id, name }: { readonly id: string; readonly name?: string }) {
  return (
    <Link view="work" params={{ action: id }} title={id}>
      {name === undefined ? <span class="id">{shortId(id)}</span> : name}
    </Link>
  );
}

/** An actor, by its id. */
export function ActorLink({ id, name }: { readonly id: string; readonly name?: string }) {
  return (
    <Link view="actors" params={{ actor: id }} title={id}>
      {name ?? shortId(id)}
    </Link>
  );
}

/** A run of a plan. */
export function PlanLink({ id, name }: { readonly id: string; readonly name?: string }) {
  return (
    <Link view="plan" params={{ plan: id }} title={id}>
      {name ?? shortId(id)}
    </Link>
  );
}
