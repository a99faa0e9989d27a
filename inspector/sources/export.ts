/** What a source holds, as lines that another inspector can open without it. */
import { PerdureError } from '../../errors.ts';
import { shown } from '../../machines/option-keys.ts';
import { PROTOCOL_VERSION, type ExportLine, type InspectionRecord, type ServerHello } from '../protocol.ts';
import type { PastQuery, Source } from './source.ts';
import { PACKAGE_VERSION } from '../server/version.ts';

export interface ExportQuery extends PastQuery {
  /** What the server says of itself to its viewers. Default: what the source knows. */
  readonly hello?: ServerHello;
}

/**
 * First what it is, then every actor with its chart and its state, then what happened, the oldest first: the history, and among it
 * the records that are held. It holds no more of it at once than the source does. Throws ABORTED, or what the signal says, and TREE_NOT_FOUND.
 *
 * @example
 * for await (const line of exportLines(source)) file.write(`${JSON.stringify(line)}\n`);
 */
export async function* exportLines(
  source: Source,
  { hello = helloOf(source), ...query }: ExportQuery = {},
): AsyncGenerator<ExportLine, void, undefined> {
  const { tree } = query;
  const isAsked = (id: string) => tree === undefined || id === tree || id.startsWith(`${tree}/`);
  const actors = source.registry().filter(({ id }) => isAsked(id));
  const { moreActors: more = 0 } = source;
  const held = source.recordsFrom(0).records.filter(({ actor }) => isAsked(actor));
  const told = merged(source, held, query);
  const first = await told.next();
  if (tree !== undefined && actors.length === 0 && source.actor(tree) === undefined && first.done === true)
    throw new PerdureError('TREE_NOT_FOUND', `There is no tree ${shown(tree)}, and the history tells of none.`, {
      facts: { tree },
    });
  yield { type: 'export', version: PROTOCOL_VERSION, at: Date.now(), hello };
  yield { type: 'registry', actors, ...(more === 0 ? {} : { more }) };
  for (const id of new Set(actors.map(({ chart }) => chart))) {
    const chart = id === null ? undefined : source.chart(id);
    if (chart !== undefined) yield { type: 'chart', chart };
  }
  for (const { id } of actors) {
    query.signal?.throwIfAborted();
    const detail = source.actor(id);
    if (detail !== undefined) yield { type: 'detail', detail };
  }
  if (first.done === true) return;
  yield { type: 'record', record: first.value };
  for await (const record of told) yield { type: 'record', record };
}

/** By time. A turn that the history tells is not told again. */
async function* merged(
  source: Source,
  held: readonly InspectionRecord[],
  query: PastQuery,
): AsyncGenerator<InspectionRecord, void, undefined> {
  const others = source.capabilities.history ? held.filter(({ kind }) => kind !== 'turn') : held;
  let next = 0;
  if (source.capabilities.history) {
    for await (const turn of source.history(query)) {
      for (; (others[next]?.at ?? Infinity) < turn.at; next += 1) yield others[next] as InspectionRecord;
      yield turn;
    }
  }
  yield* others.slice(next);
}

function helloOf({ epoch, nextSeq, capabilities, store, startedAt, pid }: Source): ServerHello {
  return {
    type: 'hello',
    version: PROTOCOL_VERSION,
    server: { name: 'perdure', version: PACKAGE_VERSION },
    epoch,
    seq: nextSeq,
    resumed: false,
    capabilities: { ...capabilities, commands: false },
    store,
    badge: null,
    startedAt: startedAt ?? Date.now(),
    pid,
  };
}
