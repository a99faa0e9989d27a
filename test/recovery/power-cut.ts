/**
 * Cuts the power of a recorded disk at many moments, in many ways, and opens what is left: whatever was acknowledged
 * or done outside before that moment must be there.
 */
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import Database from 'better-sqlite3';
import { crash } from '../../persistence/crash.ts';
import { createDurableActor } from '../../persistence/create.ts';
import { SimulatedClock } from '../../persistence/simulated-clock.ts';
import { Store } from '../../persistence/store.ts';
import { messageOf } from '../../errors.ts';
import type { Durability } from '../../persistence/sqlite.ts';
import { Recorder } from './disk-recording.ts';
import { Disk, type DiskEvent, type Loss } from './disk.ts';
import { hubMachine, marksTable } from './hub.ts';
import { judge } from './judge.ts';
import { randomOf, type Workload } from './workload.ts';

export interface PowerCuts {
  readonly events: readonly DiskEvent[];
  readonly workload: Workload;
  readonly durability: Durability;
  readonly images: number;
  readonly seed: number;
  /** An empty folder for the images; fast, because they are many. */
  readonly folder: string;
}

export interface PowerCutReport {
  readonly images: number;
  /** Images in which something is wrong, in words. */
  readonly wrong: readonly string[];
  /** Images that had lost something not yet synced, so that they tell something. */
  readonly lossy: number;
}

const LOSSES: readonly Loss[] = ['everything', 'nothing', 'tail', 'sectors', 'sectors'];
/** So many of the power cuts are at a rare moment, or up to so many changes after it. */
const RARE_SHARE = 0.25;
const RARE_SPAN = 6;

export async function cutPower(cuts: PowerCuts): Promise<PowerCutReport> {
  const { events, images, seed } = cuts;
  const random = randomOf(seed);
  const moments = momentsOf(events, images, random);
  const disk = new Disk();
  const wrong: string[] = [];
  let done = 0;
  let lossy = 0;
  for (const cut of moments) {
    for (; done < cut; done++) disk.apply(events[done] as DiskEvent);
    const loss = LOSSES[Math.floor(random() * LOSSES.length)] as Loss;
    const image = disk.after(loss, random);
    if (!same(image, disk.after('nothing', random))) lossy += 1;
    const problems = await judgeImage(image, disk, cuts);
    if (problems.length > 0)
      wrong.push(`power cut at ${cut} of ${events.length}, ${loss} lost: ${problems.join('; ')}`);
  }
  return { images, wrong, lossy };
}

/** Any moment is as good as another, but for the rare ones: a file shrinks, comes or goes, or a sync fails. */
function momentsOf(events: readonly DiskEvent[], images: number, random: () => number): number[] {
  const isRare = (event: DiskEvent): boolean =>
    ['create', 'unlink', 'truncate'].includes(event.kind) || (event.kind === 'sync' && !event.succeeded);
  const rare = [...events.keys()].filter((index) => isRare(events[index] as DiskEvent));
  const anyOf = (count: number): number => Math.floor(random() * count);
  const moments = Array.from({ length: images }, () =>
    random() < RARE_SHARE ? (rare[anyOf(rare.length)] ?? 0) + anyOf(RARE_SPAN) : anyOf(events.length + 1),
  );
  return moments.map((moment) => Math.min(moment, events.length)).toSorted((a, b) => a - b);
}

async function judgeImage(
  image: ReadonlyMap<string, Buffer>,
  { notes }: Disk,
  { workload, folder, durability }: PowerCuts,
): Promise<string[]> {
  const at = `${folder}/image`;
  mkdirSync(at);
  try {
    for (const [name, content] of image) writeFileSync(`${at}/${name}`, content);
    for (const [name, text] of notes) writeFileSync(`${at}/${name}`, text);
    const { wrong, committed } = judge(at, workload);
    return [...wrong, ...(await openImage(`${at}/work.db`, committed, durability))];
  } catch (error) {
    return [`it cannot be read: ${messageOf(error)}`];
  } finally {
    rmSync(at, { recursive: true });
  }
}

/** The runtime itself finds what the judge found. */
async function openImage(path: string, committed: Record<string, number>, durability: Durability): Promise<string[]> {
  try {
    // At the beginning of time nothing is due.
    const clock = new SimulatedClock(0);
    const store = Store.open(path, { clock, durability: 'process-crash' });
    store.declare([marksTable]);
    const world = { mark: () => {}, trace: () => {}, newId: () => 'none', now: () => 0 };
    const durable = await createDurableActor(hubMachine(world), { store });
    const { last } = durable.getSnapshot().context;
    const damaged = store.rows.get(`select 1 from incidents where kind = 'log.damaged'`);
    crash(durable);
    // In the other mode it is true: the log has holes, and what was acknowledged is gone.
    if (durability === 'power-loss' && damaged !== undefined) return ['the log of an honest disk was called damaged'];
    return JSON.stringify(last) === JSON.stringify(committed)
      ? []
      : [`opened at ${JSON.stringify(last)}, and the rows say ${JSON.stringify(committed)}`];
  } catch (error) {
    return [`it cannot be opened: ${messageOf(error)}`];
  }
}

function same(a: ReadonlyMap<string, Buffer>, b: ReadonlyMap<string, Buffer>): boolean {
  return a.size === b.size && [...a].every(([name, content]) => b.get(name)?.equals(content) === true);
}

/** What a lost turn looks like to the judge; nothing else may be wrong. */
export const LOST =
  /lost: (c\d+:\d+ was acknowledged and is lost; the store ends at \d+|\S+ ran for a turn that was never committed|\d+ acknowledgements or effects, and no store|; )+$/;

export interface RecordedCut {
  readonly durability: Durability;
  /** Further arguments of strace in the second life. */
  readonly faults?: readonly string[];
  /** Somebody reads from the log while the third life goes on. Default: false. */
  readonly isRead?: boolean;
  readonly folder: string;
  readonly imagesFolder: string;
  readonly images: number;
  readonly seed: number;
}

export interface RecordedCuts extends PowerCutReport {
  readonly failedSyncs: number;
}

/** Four lives: three are killed, or fail, the last one ends well. Then the power is cut, at any moment of them. */
export async function recordAndCut({
  durability,
  faults = [],
  isRead,
  folder,
  ...cut
}: RecordedCut): Promise<RecordedCuts> {
  const workload: Workload = { seed: cut.seed, clients: 3, events: 120 };
  const recorder = new Recorder();
  const options = { folder, workload, durability };
  await recorder.live({ ...options, killAtCommit: 20 });
  await recorder.live({ ...options, killAtCommit: 25, mayFail: true, repeatForMs: 3_000 }, faults);
  const release = isRead === true ? readFrom(`${folder}/work.db`) : undefined;
  await recorder.live({ ...options, killAtCommit: 12 });
  release?.();
  await recorder.live({ ...options, window: 3 });
  const { events } = recorder;
  const failedSyncs = events.filter((event) => event.kind === 'sync' && !event.succeeded).length;
  const report = await cutPower({ ...cut, events, workload, durability, folder: cut.imagesFolder });
  return { ...report, failedSyncs };
}

/** Holds a read transaction, which keeps the log where it is and writes nothing; gives its end. */
function readFrom(path: string): () => void {
  const db = new Database(path, { readonly: true });
  db.exec('begin');
  db.prepare('select count(*) from meta').get();
  return () => void db.close();
}
