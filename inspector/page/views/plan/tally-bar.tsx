import type { Tally } from './shape.ts';
import { STANDINGS, tallyText, toneOfStanding } from './standing.ts';

/** How many steps are what, as one bar. */
export function TallyBar({ tally, label }: { readonly tally: Tally; readonly label: string }) {
  return (
    <div class="tally" role="img" aria-label={`${label}: ${tallyText(tally)}`} title={tallyText(tally)}>
      {STANDINGS.map((standing) =>
        tally[standing] === 0 ? null : (
          <span
            key={standing}
            class={`tone-${toneOfStanding(standing)} tally-${standing}`}
            style={{ flexGrow: tally[standing] }}
          />
        ),
      )}
    </div>
  );
}
