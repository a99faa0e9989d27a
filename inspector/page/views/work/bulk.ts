/** The same command for many actions: whom it fits, how it is given to all of them, and what came of it. */
import type { CommandAnswer } from '../../../protocol.ts';
import type { WorkItem } from '../../../views/work.ts';

export interface BulkCommand {
  readonly command: string;
  readonly label: string;
  readonly icon: 'cross' | 'retry' | 'bolt' | 'queue';
  /** Whether it makes sense for an action as it is now. */
  readonly fits: (item: WorkItem) => boolean;
  /** What is done to them, in words. */
  readonly does: string;
}

export const bulkCommands: readonly BulkCommand[] = [
  {
    command: 'retry',
    label: 'Retry now',
    icon: 'retry',
    fits: ({ state, retryAt }) => state !== 'settled' && retryAt !== null,
    does: 'begin their next attempt now',
  },
  {
    command: 'run-now',
    label: 'Run now',
    icon: 'bolt',
    fits: ({ state }) => state === 'delayed',
    does: 'no longer wait for their time',
  },
  {
    command: 'requeue',
    label: 'Requeue',
    icon: 'queue',
    // A step of a plan has another round with its plan.
    fits: ({ state, kind, plan }) => state === 'settled' && kind === 'failed' && plan === null,
    does: 'are done once more, from the beginning',
  },
  {
    command: 'cancel',
    label: 'Cancel',
    icon: 'cross',
    fits: ({ state }) => state !== 'settled',
    does: 'are ended, and not taken up again',
  },
];

export interface Summary {
  readonly applied: number;
  readonly waiting: number;
  readonly refused: number;
  /** Not given any more, because somebody stopped it. */
  readonly left: number;
  /** Why some were refused: each reason once, with how many, the most frequent first. */
  readonly reasons: readonly { readonly message: string; readonly count: number }[];
}

/** At most this many commands wait for their answers at once. */
const AT_ONCE = 4;

/** Gives a command for each of many, and tells after each answer how many there are. */
export async function giveAll(
  ids: readonly string[],
  give: (id: string) => Promise<CommandAnswer>,
  progress: (done: number) => void,
  stop: { readonly aborted: boolean } = { aborted: false },
): Promise<Summary> {
  const answers: CommandAnswer[] = [];
  let next = 0;
  const worker = async (): Promise<void> => {
    while (next < ids.length && !stop.aborted) {
      answers.push(await give(ids[next++]!));
      progress(answers.length);
    }
  };
  await Promise.all(Array.from({ length: Math.min(AT_ONCE, ids.length) }, worker));
  return summaryOf(answers, ids.length);
}

export function summaryOf(answers: readonly CommandAnswer[], wanted: number): Summary {
  const count = { applied: 0, waiting: 0, refused: 0 };
  const reasons = new Map<string, number>();
  for (const { state, message } of answers) {
    count[state]++;
    if (state === 'refused') reasons.set(message, (reasons.get(message) ?? 0) + 1);
  }
  return {
    ...count,
    left: wanted - answers.length,
    reasons: [...reasons].map(([message, times]) => ({ message, count: times })).toSorted((a, b) => b.count - a.count),
  };
}

/** A summary in words: `12 applied, 3 refused`. */
export function summaryText({ applied, waiting, refused, left }: Summary): string {
  const parts = [
    [applied, 'applied'],
    [waiting, 'wait for the owner of the store'],
    [refused, 'refused'],
    [left, 'not asked any more'],
  ] as const;
  const said = parts.filter(([count]) => count > 0).map(([count, words]) => `${count} ${words}`);
  return said.length === 0 ? 'nothing to do' : said.join(', ');
}
