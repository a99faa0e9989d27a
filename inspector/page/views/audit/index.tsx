import { useEffect, useState } from 'preact/hooks';
import type { AuditEntry } from '../../../protocol.ts';
import { commandsGiven } from '../../command.ts';
import { lastCommitted, loadAudit } from '../../connection.ts';
import { param } from '../../location.ts';
import { pageErrorOf, type PageError } from '../../page-error.ts';
import { Badge } from '../../ui/badge.tsx';
import { Dialog } from '../../ui/dialog.tsx';
import { Empty, Failure } from '../../ui/empty.tsx';
import { JsonTree } from '../../ui/json-tree.tsx';
import { Panel } from '../../ui/panel.tsx';
import { Search } from '../../ui/search.tsx';
import { Spinner } from '../../ui/spinner.tsx';
import { Table, type Column } from '../../ui/table.tsx';
import { Time } from '../../ui/time.tsx';
import { answerText, askedText, noteOf } from './audit-words.ts';

const PAGE = 200;

const COLUMNS: readonly Column<AuditEntry>[] = [
  { id: 'at', title: 'When', width: '110px', cell: ({ at }) => <Time at={at} />, sort: ({ at }) => at },
  { id: 'by', title: 'Who', width: '120px', cell: ({ by }) => by, sort: ({ by }) => by },
  {
    id: 'event',
    title: 'Asked',
    width: 'minmax(180px, 1fr)',
    cell: (entry) => (
      <span class="cut" title={entry.event.type}>
        {askedText(entry)}
      </span>
    ),
    sort: ({ event }) => event.type,
  },
  {
    id: 'actor',
    title: 'Of',
    width: 'minmax(120px, 1fr)',
    cell: ({ actor }) => <span title={actor}>{actor}</span>,
    sort: ({ actor }) => actor,
    wide: true,
  },
  {
    id: 'answer',
    title: 'Answer',
    width: 'minmax(180px, 2fr)',
    cell: ({ answer, answeredAt }) =>
      answeredAt === null ? (
        <Badge tone="waiting">waiting</Badge>
      ) : (
        <span title={answer ?? ''}>{answerText(answer)}</span>
      ),
  },
];

/** Commands that were given, by whom, and what came of them. */
function Audit() {
  const { entries, error, hasMore, more } = useAudit();
  const [shown, setShown] = useState<AuditEntry | null>(null);
  const search = param('search');
  const sort = param('sort');
  const selected = param('command');
  if (error !== undefined) return <Failure code={error.code} message={error.message} />;
  if (entries === undefined) return <Spinner label="Loading…" />;
  const typed = search.value.toLowerCase();
  const rows = entries.filter((entry) => textOf(entry).includes(typed));
  return (
    <div class="view-fill">
      <div class="toolbar">
        <Search value={search.value} onInput={(text) => (search.value = text)} label="Search commands" />
      </div>
      <Panel title="Commands" icon="audit" count={rows.length} flush fill>
        <Table
          label="Commands that were given"
          rows={rows}
          columns={COLUMNS}
          keyOf={({ id }) => id}
          selected={selected.value}
          onSelect={({ id }) => (selected.value = id)}
          onOpen={setShown}
          sort={sort.value}
          onSort={(next) => (sort.value = next)}
          onNearEnd={() => {
            if (hasMore) more();
          }}
          empty={
            <Empty icon="audit" title={typed === '' ? 'Nobody has asked for anything' : 'No command says that'}>
              Every command that this page, HTTP or the command line gives is kept here, with who gave it and what came
              of it.
            </Empty>
          }
        />
      </Panel>
      <Chosen entry={rows.find(({ id }) => id === selected.value)} />
      {shown === null ? null : (
        <Dialog title={shown.event.type} size="medium" onClose={() => setShown(null)}>
          <JsonTree value={shown} label="The command" />
        </Dialog>
      )}
    </div>
  );
}

/** All of the chosen command: whom it was about, what was said with it, and the whole answer. */
function Chosen({ entry }: { readonly entry: AuditEntry | undefined }) {
  if (entry === undefined) return null;
  const note = noteOf(entry);
  return (
    <Panel title={askedText(entry)} icon="audit">
      <p>
        {entry.by} asked <Time at={entry.at} />, of <code>{entry.actor}</code>
      </p>
      {note === null ? null : <p>Note: {note}</p>}
      <p>{entry.answeredAt === null ? 'It waits for an answer.' : answerText(entry.answer)}</p>
    </Panel>
  );
}

interface AuditPages {
  readonly entries: readonly AuditEntry[] | undefined;
  readonly error: PageError | undefined;
  readonly hasMore: boolean;
  readonly more: () => void;
}

/** The newest page is asked for again with each commit; older ones stay. */
function useAudit(): AuditPages {
  const [newest, setNewest] = useState<readonly AuditEntry[]>();
  const [older, setOlder] = useState<readonly AuditEntry[]>([]);
  const [hasMore, setMore] = useState(false);
  const [error, setError] = useState<PageError>();
  const turn = lastCommitted.value?.turn;
  // Of actors that are not durable nothing is committed.
  const given = commandsGiven.value;
  useEffect(() => {
    let isOver = false;
    loadAudit(PAGE).then(
      (entries) => {
        if (isOver) return;
        setNewest(entries);
        setError(undefined);
        if (older.length === 0) setMore(entries.length === PAGE);
      },
      (reason: unknown) => {
        if (!isOver) setError(pageErrorOf(reason));
      },
    );
    return () => {
      isOver = true;
    };
  }, [turn, given]);
  const known = new Set(newest?.map(({ id }) => id));
  const entries = newest && [...newest, ...older.filter(({ id }) => !known.has(id))];
  const more = (): void => {
    const last = entries?.at(-1)?.id;
    if (last === undefined) return;
    setMore(false);
    loadAudit(PAGE, last).then(
      (page) => {
        setOlder([...older, ...page]);
        setMore(page.length === PAGE);
      },
      (reason: unknown) => setError(pageErrorOf(reason)),
    );
  };
  return { entries, error, hasMore, more };
}

function textOf({ by, actor, event, answer }: AuditEntry): string {
  return `${by} ${actor} ${JSON.stringify(event)} ${answer ?? ''}`.toLowerCase();
}

export const view = { component: Audit };
