import { useEffect, useMemo, useRef, useState } from 'preact/hooks';
import type { KnownCommand } from '../../protocol.ts';
import type { PlanInfo } from '../../views/plan.ts';
import type { Work } from '../../views/work.ts';
import { canCommand, give, knownCommands, titleOf } from '../command.ts';
import { capabilities, feed, loadView, registry } from '../connection.ts';
import { pickFile } from '../file-feed.ts';
import type { IconName } from '../icons.ts';
import { go } from '../location.ts';
import { chooseTheme } from '../theme.ts';
import { useModal } from '../ui/focus.ts';
import { Form } from '../ui/form.tsx';
import { Icon } from '../ui/icon.tsx';
import { Spinner } from '../ui/spinner.tsx';
import { VIEWS } from '../views/index.ts';
import { isHelpOpen, isPaletteOpen } from './keyboard.ts';
import { matchOf } from './match.ts';

interface Item {
  readonly key: string;
  readonly group: 'Views' | 'Commands' | 'Actors' | 'Actions' | 'Plans' | 'Page';
  readonly icon: IconName;
  readonly title: string;
  readonly help: string;
  /** Shows a form in the palette instead of closing it. */
  readonly command?: KnownCommand;
  readonly run: () => void;
}

const PER_GROUP = 8;
const TYPING_MS = 150;
/** What is found in what it says of itself comes after what is found in its name. */
const HELP_SCORE = -10;
const GROUPS = ['Views', 'Actions', 'Plans', 'Actors', 'Commands', 'Page'] as const;

/** Goes anywhere and gives any command, by typing a part of its name. */
export function Palette() {
  const [typed, setTyped] = useState('');
  const [at, setAt] = useState(0);
  const [command, setCommand] = useState<KnownCommand>();
  const box = useRef<HTMLDialogElement>(null);
  const { found, isLooking } = useFound(typed);
  const fixed = useMemo(fixedItems, [registry.value, knownCommands.value, capabilities.value]);
  const shown = useMemo(() => best([...found, ...fixed], typed), [found, fixed, typed]);
  const selected = Math.min(at, shown.length - 1);

  useModal(box);

  const close = (): void => {
    isPaletteOpen.value = false;
  };
  const choose = (item: Item): void => {
    if (item.command === undefined || item.command.params.length === 0) close();
    if (item.command === undefined) item.run();
    else if (item.command.params.length === 0) void give(item.command.name);
    else setCommand(item.command);
  };
  const onKeyDown = (event: KeyboardEvent): void => {
    const step = event.key === 'ArrowDown' ? 1 : event.key === 'ArrowUp' ? -1 : 0;
    if (step !== 0) {
      event.preventDefault();
      const next = (selected + step + shown.length) % Math.max(1, shown.length);
      setAt(next);
      box.current?.querySelector(`#palette-${next}`)?.scrollIntoView({ block: 'nearest' });
    } else if (event.key === 'Enter') {
      event.preventDefault();
      const item = shown[selected];
      if (item !== undefined) choose(item);
    }
  };
  return (
    <dialog
      ref={box}
      class="palette"
      aria-label="Search and commands"
      onCancel={(event) => {
        event.preventDefault();
        if (command === undefined) close();
        else setCommand(undefined);
      }}
      onClick={(event) => {
        if (event.target === event.currentTarget) close();
      }}
    >
      {command === undefined ? (
        <>
          <div class="palette-field">
            {isLooking ? <Spinner /> : <Icon name="search" />}
            <input
              type="text"
              role="combobox"
              aria-expanded
              aria-controls="palette-list"
              aria-activedescendant={shown.length > 0 ? `palette-${selected}` : undefined}
              aria-label="Search views, actors, actions, plans and commands"
              placeholder="Views, actors, actions, plans, commands…"
              spellcheck={false}
              autocomplete="off"
              autofocus
              value={typed}
              onInput={(event) => {
                setTyped(event.currentTarget.value);
                setAt(0);
              }}
              onKeyDown={onKeyDown}
            />
            <kbd aria-hidden>Esc</kbd>
          </div>
          <div class="palette-list" id="palette-list" role="listbox" aria-label="What was found" tabIndex={-1}>
            {shown.map((item, i) => (
              <Row
                key={item.key}
                item={item}
                index={i}
                typed={typed}
                isFirst={shown[i - 1]?.group !== item.group}
                isSelected={i === selected}
                onChoose={() => choose(item)}
                onPoint={() => setAt(i)}
              />
            ))}
            {shown.length === 0 && !isLooking ? <p class="palette-group">Nothing is called that.</p> : null}
          </div>
        </>
      ) : (
        <div class="palette-form stack">
          <h2>{titleOf(command.name)}</h2>
          <p class="soft">{command.help}</p>
          <Form
            params={command.params}
            submit={titleOf(command.name)}
            onCancel={() => setCommand(undefined)}
            onSubmit={async (values) => {
              const { state } = await give(command.name, values);
              if (state !== 'refused') close();
            }}
          />
        </div>
      )}
    </dialog>
  );
}

interface RowProps {
  readonly item: Item;
  readonly index: number;
  readonly typed: string;
  readonly isFirst: boolean;
  readonly isSelected: boolean;
  readonly onChoose: () => void;
  readonly onPoint: () => void;
}

function Row({ item, index, typed, isFirst, isSelected, onChoose, onPoint }: RowProps) {
  return (
    <>
      {isFirst ? (
        <p class="palette-group" role="presentation">
          {item.group}
        </p>
      ) : null}
      <div
        id={`palette-${index}`}
        class="palette-item"
        role="option"
        aria-selected={isSelected}
        onClick={onChoose}
        onPointerMove={isSelected ? undefined : onPoint}
      >
        <Icon name={item.icon} />
        <span class="palette-title cut">
          <Marked text={item.title} typed={typed} />
        </span>
        <span class="palette-help cut grow">{item.help}</span>
      </div>
    </>
  );
}

function Marked({ text, typed }: { readonly text: string; readonly typed: string }) {
  const match = typed === '' ? null : matchOf(typed, text);
  if (match === null) return <>{text}</>;
  const marked = new Set(match.at);
  return <>{Array.from(text, (letter, i) => (marked.has(i) ? <b key={i}>{letter}</b> : letter))}</>;
}

function fixedItems(): Item[] {
  const kind = feed.value?.kind ?? 'server';
  const items: Item[] = VIEWS.filter((view) => view.supports(capabilities.value, kind)).map((view) => ({
    key: `view ${view.id}`,
    group: 'Views',
    icon: view.icon,
    title: view.title,
    help: view.help,
    run: () => go(view.id),
  }));
  for (const { id, name, src } of registry.value.values()) {
    items.push({
      key: `actor ${id}`,
      group: 'Actors',
      icon: 'tree',
      title: id,
      help: src ?? name,
      run: () => go('actors', { actor: id }),
    });
  }
  if (canCommand.value) {
    for (const command of knownCommands.value) {
      const { name, help } = command;
      // What is no supervisor is sent events, and no more.
      if (!capabilities.value.supervisor && name !== 'send') continue;
      items.push({
        key: `command ${name}`,
        group: 'Commands',
        icon: 'bolt',
        title: titleOf(name),
        help,
        command,
        run: () => {},
      });
    }
  }
  return [...items, ...pageItems()];
}

function pageItems(): Item[] {
  const item = (title: string, icon: IconName, help: string, run: () => void): Item => ({
    key: `page ${title}`,
    group: 'Page',
    icon,
    title,
    help,
    run,
  });
  const items = [
    item('Light theme', 'sun', 'Shift T', () => chooseTheme('light')),
    item('Dark theme', 'moon', 'Shift T', () => chooseTheme('dark')),
    item('Theme of the system', 'auto', 'Shift T', () => chooseTheme('auto')),
    item('Keys', 'keyboard', 'What every key does', () => (isHelpOpen.value = true)),
    item('Open an exported history', 'upload', 'NDJSON, read in this page and sent nowhere', pickFile),
  ];
  if (feed.value?.kind === 'server') {
    items.push(
      item('Export the history', 'download', 'NDJSON that this page opens without a server', () => {
        location.assign(new URL('v1/export', document.baseURI).href);
      }),
    );
  }
  return items;
}

/** What the server finds: actions and plans, asked for when the typing rests. */
function useFound(typed: string): { readonly found: readonly Item[]; readonly isLooking: boolean } {
  const [found, setFound] = useState<readonly Item[]>([]);
  const [isLooking, setLooking] = useState(false);
  const search = typed.trim();
  const isAsked = search.length >= 2 && capabilities.value.supervisor && feed.value?.kind === 'server';
  useEffect(() => {
    if (!isAsked) {
      setFound([]);
      setLooking(false);
      return;
    }
    let isOver = false;
    setLooking(true);
    const timer = setTimeout(() => {
      void lookFor(search).then((items) => {
        if (isOver) return;
        setFound(items);
        setLooking(false);
      });
    }, TYPING_MS);
    return () => {
      isOver = true;
      clearTimeout(timer);
    };
  }, [search, isAsked]);
  return { found, isLooking };
}

async function lookFor(search: string): Promise<readonly Item[]> {
  const [work, plans] = await Promise.allSettled([
    loadView<Work>('work', { search, limit: String(PER_GROUP) }),
    loadView<readonly PlanInfo[]>('plans'),
  ]);
  const items: Item[] = [];
  if (work.status === 'fulfilled') {
    for (const { id, name, state, kind } of work.value.items) {
      items.push({
        key: `action ${id}`,
        group: 'Actions',
        icon: 'queue',
        title: name,
        help: `${id} · ${kind ?? state}`,
        run: () => go('work', { action: id }),
      });
    }
  }
  if (plans.status === 'fulfilled' && Array.isArray(plans.value)) {
    for (const { id, name, state } of plans.value) {
      items.push({
        key: `plan ${id}`,
        group: 'Plans',
        icon: 'graph',
        title: name === '' ? id : name,
        help: `${id} · ${state}`,
        run: () => go('plan', { plan: id }),
      });
    }
  }
  return items;
}

/** The best of each group. Without anything typed: the views, the commands, and what the page can do. */
function best(items: readonly Item[], typed: string): readonly Item[] {
  const ranked = items.flatMap((item) => {
    if (typed === '') return item.group === 'Actors' ? [] : [{ item, score: 0 }];
    const title = matchOf(typed, item.title)?.score ?? -Infinity;
    // Of a sentence, letters here and there say nothing.
    const help = item.help.toLowerCase().includes(typed.trim().toLowerCase()) ? HELP_SCORE : -Infinity;
    const score = Math.max(title, help);
    return score === -Infinity ? [] : [{ item, score }];
  });
  return GROUPS.map((group) => {
    const ofGroup = ranked.filter(({ item }) => item.group === group).toSorted((a, b) => b.score - a.score);
    return typed === '' ? ofGroup : ofGroup.slice(0, PER_GROUP);
  })
    .toSorted((a, b) => (b[0]?.score ?? -Infinity) - (a[0]?.score ?? -Infinity))
    .flat()
    .map(({ item }) => item);
}
