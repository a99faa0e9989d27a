/** Feeds the page from an exported history, which is read here and sent nowhere. */
import { batch } from '@preact/signals';
import { feed, records, status, type Feed } from './connection.ts';
import { readExport, type ExportedHistory } from './export-lines.ts';
import { countText } from './format.ts';
import { applyIntake, forgetAll } from './store.ts';
import { emptyIntake } from './intake.ts';
import { pageErrorOf } from './page-error.ts';
import { toast } from './ui/toast.tsx';
import { found, onlyServers } from './viewer-feed.ts';

/** Of a file, more can be held than of what goes on. */
const MOST_RECORDS = 200_000;
const LARGEST_FILE = 512_000_000;

/** Opens an export instead of what the page looked at before; tells what is wrong when it cannot. */
export async function openFile(file: File): Promise<void> {
  try {
    if (file.size > LARGEST_FILE) throw new Error('It is larger than 512 MB.');
    show(readExport(await file.text()), file.name);
  } catch (error) {
    toast({ tone: 'failed', title: `“${file.name}” could not be opened`, text: pageErrorOf(error).message });
  }
}

/** Lets the reader choose a file, and opens it. */
export function pickFile(): void {
  const input = document.createElement('input');
  input.type = 'file';
  input.accept = '.ndjson,.jsonl,.json,.txt';
  input.addEventListener('change', () => {
    const file = input.files?.[0];
    if (file !== undefined) void openFile(file);
  });
  input.click();
}

/** Opens a file that is dropped on the page. */
export function listenToDrops(): void {
  addEventListener('dragover', (event) => event.preventDefault());
  addEventListener('drop', (event) => {
    event.preventDefault();
    const file = event.dataTransfer?.files[0];
    if (file !== undefined) void openFile(file);
  });
}

function show(history: ExportedHistory, name: string): void {
  const hello = {
    ...history.hello,
    resumed: false,
    badge: name,
    capabilities: { commands: false, history: false, live: false, supervisor: false },
    pid: null,
  };
  feed.peek()?.close();
  forgetAll();
  records.hold(MOST_RECORDS);
  batch(() => {
    feed.value = fileFeed(history);
    status.value = 'open';
    applyIntake({
      ...emptyIntake(),
      hello,
      registry: { actors: history.registry, from: history.records.length, more: 0 },
      records: [...history.records],
    });
  });
  const unread = history.unread === 0 ? '' : `; ${countText(history.unread)} lines could not be read`;
  toast({ tone: 'ok', title: `Opened ${name}`, text: `${countText(history.records.length)} records${unread}.` });
}

function fileFeed({ charts, details }: ExportedHistory): Feed {
  return {
    kind: 'file',
    actor: (id, seq) =>
      found(seq === undefined ? details.get(id) : undefined, 'The export does not say how this actor was then.'),
    chart: (id) => found(charts.get(id), 'The export does not hold this chart.'),
    view: onlyServers,
    commands: () => Promise.resolve([]),
    give: onlyServers,
    audit: onlyServers,
    history: () => Promise.resolve([]),
    detail: () => {},
    retry: () => {},
    close: () => {},
  };
}
