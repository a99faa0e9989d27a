/** The door of the inspector: to serve it, to mount it, and to record and draw without it. */
export { inspectorHandler, type InspectorHandler } from './server/handler.ts';
export { serveInspector, type InspectorServer } from './server/server.ts';
export type { Admitted, InspectorLogger, InspectorOptions, ServeOptions } from './server/options.ts';
export type { InspectorTarget } from './server/target.ts';
export { storeSource, type StoreSourceOptions } from './sources/store-source.ts';
export { fileSource, type FileSourceOptions } from './sources/file-source.ts';
export type { HeldRecords, PastQuery, Source, SourceListener } from './sources/source.ts';
export { deskBeside, type CommandDesk, type GivenCommand } from './commands/commands.ts';
export { Recorder, type RecordListener } from './recorder/recorder.ts';
export type { RecorderOptions } from './recorder/recorder-options.ts';
export { chartOf } from './charts/chart-of.ts';
export { drawSvg } from './charts/chart-drawing.ts';
export { mermaidOf } from './charts/mermaid.ts';
export type { Chart, ChartState, ChartTransition } from './charts/chart.ts';
export type {
  ActorDetail,
  ActorInfo,
  AuditEntry,
  Capabilities,
  CommandAnswer,
  ExportLine,
  InspectionRecord,
} from './protocol.ts';
