/**
 * The native protocol, `/v1`: what goes over the wire between whoever records and whoever looks. JSON, one object per WebSocket
 * text frame; the same over HTTP, where a viewer asks for itself.
 *
 *   viewer  ──hello──> server          once, first; with where it was, when it was there before
 *   viewer  <──hello── server          what can be had, and from where the records go on
 *   viewer  <──registry── server       every actor there is: apart from the records, so no ring evicts it
 *   viewer  <──records / dropped / committed── server
 *   viewer  ──command──> server ──answer──> viewer
 *
 * V1  Sequence numbers count up by one within an epoch. A viewer that comes back with the same epoch gets all it has missed, or
 *     is told what it has missed and cannot be had.
 * V2  What is sent is redacted. Times are wall-clock ms since 1970, durations ms.
 * V3  A viewer that reads slowly is told what was dropped; it slows nobody.
 */
import type { Chart } from './charts/chart.ts';

export const PROTOCOL_VERSION = 1;

/** JSON as it is shown: what JSON lacks (maps, errors, references) is written as tagged records by the codec. */
export type Shown = unknown;

/** What a viewer says first. */
export interface ViewerHello {
  readonly type: 'hello';
  readonly version: number;
  /** Where it was before the connection broke. Default: it is new, and gets what the ring still holds. */
  readonly resume?: { readonly epoch: string; readonly seq: number };
  /** Whether microsteps and actions are wanted too. Default: false. */
  readonly detail?: boolean;
}

/** What can be had from this server. */
export interface Capabilities {
  /** Commands are obeyed; else it is read-only. */
  readonly commands: boolean;
  /** The store keeps what happened. */
  readonly history: boolean;
  /** The process whose actors these are is this one: events come as they happen; else they are read from the store's file. */
  readonly live: boolean;
  /** There is a supervisor: its views can be asked for. */
  readonly supervisor: boolean;
}

export interface ServerHello {
  readonly type: 'hello';
  readonly version: number;
  /** The server: `perdure`, and its version. */
  readonly server: { readonly name: string; readonly version: string };
  /** Changes when the records begin anew: with each life of the process. */
  readonly epoch: string;
  /** The number of the next record. */
  readonly seq: number;
  /** Whether the records go on where the viewer was. */
  readonly resumed: boolean;
  readonly capabilities: Capabilities;
  /** The store's file, its id; null where there is none. */
  readonly store: { readonly path: string; readonly id: string } | null;
  /** What the host calls this place, such as `production`. */
  readonly badge: string | null;
  readonly startedAt: number;
  readonly pid: number | null;
}

/** An actor. */
export interface ActorInfo {
  /**
   * Its id, the same after every restart: the name of its tree, and its path in it, joined by `/`. The root's is the tree's name. Of
   * an actor that a client tells of: the name of its connection and its session.
   */
  readonly id: string;
  readonly parent: string | null;
  /** The last part of its path, or the name of the tree. */
  readonly name: string;
  readonly systemId: string | null;
  /** The name under which its parent knows its logic, or the id of its machine; null when neither is known. */
  readonly src: string | null;
  /** The id of its chart, for `/v1/charts/:id`; null for what is no machine, or not known. */
  readonly chart: string | null;
  readonly status: 'active' | 'done' | 'error' | 'stopped';
  /** The value of the state of a machine, as XState has it; null for what is no machine. */
  readonly value: Shown;
  readonly tags: readonly string[];
  /** When it last changed; null when that is not known. */
  readonly changedAt: number | null;
}

/** All that is known of an actor now, or after a record. */
export interface ActorDetail extends ActorInfo {
  readonly context: Shown;
  readonly output: Shown;
  readonly error: Shown;
  /** What it waits for, by time. */
  readonly timers: readonly { readonly event: string; readonly due: number; readonly delayMs: number }[];
  /** Events that it takes in this state, with what is asked of each when its machine declares it as a JSON schema. */
  readonly accepts: readonly { readonly type: string; readonly schema: Shown }[];
  /** It is an actor of Perdure's own: no other events than these may be sent to it, the commands do what those do. */
  readonly isInternal?: true;
}

interface RecordBase {
  readonly seq: number;
  readonly at: number;
  /** Whose it is. */
  readonly actor: string;
}

/** Something that happened. `turn` is there once it is known in which commit it is durable. */
export type InspectionRecord =
  | (RecordBase & { readonly kind: 'started'; readonly info: ActorInfo })
  | (RecordBase & {
      readonly kind: 'event';
      readonly event: { readonly type: string; readonly [key: string]: Shown };
      /** The actor that sent it; null when it came from outside. */
      readonly from: string | null;
      /** It was sent to an actor that had ended: nobody took it. */
      readonly lost?: true;
    })
  | (RecordBase & {
      /** One step of a transition; several make a macrostep. Only with `detail`. */
      readonly kind: 'microstep';
      readonly event: string;
      readonly transitions: readonly {
        readonly source: string;
        readonly targets: readonly string[];
        readonly guard: string | null;
        /** As in the chart: of a transition without an event, the empty text. */
        readonly eventType?: string;
      }[];
      readonly value: Shown;
    })
  | (RecordBase & { readonly kind: 'action'; readonly action: string; readonly params: Shown })
  | (RecordBase & {
      /** A new state. Its context is asked for: `/v1/actors/:id?seq=`. */
      readonly kind: 'snapshot';
      readonly event: string;
      readonly status: ActorInfo['status'];
      readonly value: Shown;
      readonly tags: readonly string[];
      /** Whether the context is another than before. */
      readonly contextChanged: boolean;
      /** What it ended with, or failed of. */
      readonly output?: Shown;
      readonly error?: Shown;
    })
  | (RecordBase & { readonly kind: 'stopped'; readonly status: ActorInfo['status'] })
  /** A committed turn of the store's history: what began it, and whom it changed. */
  | (RecordBase & {
      readonly kind: 'turn';
      readonly turn: number;
      readonly causes: readonly {
        readonly kind: string;
        readonly to: string;
        readonly event: { readonly type: string; readonly [key: string]: Shown } | null;
        readonly id: string | null;
      }[];
      readonly changed: readonly string[];
    });

export type RecordKind = InspectionRecord['kind'];

/** The id of an actor inside another, where neither is durable: a `/` in its name is `%2F`, so that no two are the same. */
export function childId(parent: string, name: string): string {
  return `${parent}/${name.replaceAll(/%(?=2F|25)/g, '%25').replaceAll('/', '%2F')}`;
}

/** Whether it is told to everybody; else only to who asked for detail. */
export function isPlain({ kind }: InspectionRecord): boolean {
  return kind !== 'microstep' && kind !== 'action';
}

/** What a server says after its hello. */
export type ServerMessage =
  | ServerHello
  | {
      readonly type: 'registry';
      readonly actors: readonly ActorInfo[];
      /** Actors that there are beside these, and that nothing is told of: there are too many. Default: 0. */
      readonly more?: number;
    }
  | { readonly type: 'records'; readonly records: readonly InspectionRecord[] }
  /**
   * Records that this viewer does not get: from the first up to, and without, the last. One number may stand for many that were never
   * made: more happened than is recorded. A registry follows.
   */
  | { readonly type: 'dropped'; readonly from: number; readonly to: number; readonly reason: 'slow' | 'gone' }
  /** Something was committed: what is shown of rows may be old. Told at most four times a second. */
  | { readonly type: 'committed'; readonly turn: number; readonly at: number }
  | CommandAnswer
  /** Something was wrong with what the viewer sent. */
  | { readonly type: 'error'; readonly code: string; readonly message: string };

/** What somebody wants done. The same over HTTP: `POST /v1/commands`. */
export interface CommandRequest {
  readonly type: 'command';
  /** Makes a repeat harmless. A UUID. */
  readonly id: string;
  /** The name of the command: see `/v1/commands/known`. */
  readonly command: string;
  readonly params: { readonly [name: string]: unknown };
}

export interface CommandAnswer {
  readonly type: 'answer';
  readonly id: string;
  /** `applied`: it is durable. `waiting`: nobody owns the store, or its owner is busy; it is obeyed later. `refused`: it is not. */
  readonly state: 'applied' | 'waiting' | 'refused';
  /** What came of it, in words. */
  readonly message: string;
  /** The stable code of a refusal. */
  readonly code?: string;
  readonly turn?: number;
  /** The same for programs, of some commands: the turn and what undoes it, the new checkpoint, the file of a fork. */
  readonly data?: { readonly [name: string]: Shown };
}

/** What is asked for a parameter of a command, for forms and help. */
export interface CommandParam {
  readonly name: string;
  readonly kind: 'text' | 'json' | 'flag' | 'number';
  readonly required: boolean;
  readonly help: string;
}

/** A command that there is. */
export interface KnownCommand {
  readonly name: string;
  readonly help: string;
  /** Somebody should be asked again before: it cannot be taken back, or hits everything. */
  readonly confirm: boolean;
  readonly params: readonly CommandParam[];
}

/** A command that was given, and what came of it. The newest first at `GET /v1/commands`. */
export interface AuditEntry {
  readonly id: string;
  readonly at: number;
  /** Who asked, as far as is known: `page`, `http`, `cli`, with a name where there is one. */
  readonly by: string;
  /** What it is called; null for an event that was left as it is. */
  readonly command: string | null;
  readonly tree: string;
  readonly actor: string;
  readonly event: { readonly type: string; readonly [key: string]: Shown };
  readonly answeredAt: number | null;
  readonly answer: string | null;
}

/** A line of an exported history: first `export`, then registry and charts, then records. */
export type ExportLine =
  | { readonly type: 'export'; readonly version: number; readonly at: number; readonly hello: ServerHello }
  /** `more`: how many actors there were beside these; absent for none. */
  | { readonly type: 'registry'; readonly actors: readonly ActorInfo[]; readonly more?: number }
  | { readonly type: 'chart'; readonly chart: Chart }
  | { readonly type: 'detail'; readonly detail: ActorDetail }
  | { readonly type: 'record'; readonly record: InspectionRecord };
