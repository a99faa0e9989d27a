/** The door of the inspector: to serve it, to mount it, and to record and draw without it. */
export { inspectorHandler, type InspectorHandler } from './handler.ts';
export { serveInspector, type InspectorServer } from './server.ts';
export type { Admitted, InspectorLogger, InspectorOptions, ServeOptions } from './options.ts';
export type { InspectorTarget } from './target.ts';
export { storeSource, type StoreSourceOptions } from './store-source.ts';
export { fileSource, type FileSourceOptions } from './file-source.ts';
export type { HeldRecords, PastQuery, Source, SourceListener } from './source.ts';
export { deskBeside, type CommandDesk, type GivenCommand } from './commands.ts';
export { Recorder, type RecorderOptions, type RecordListener } from './recorder.ts';
export { chartOf } from './chart-of.ts';
export { drawSvg } from './chart-drawing.ts';
export { mermaidOf } from './mermaid.ts';
export type { Chart, ChartState, ChartTransition } from './chart.ts';
export type {
  ActorDetail,
  ActorInfo,
  AuditEntry,
  Capabilities,
  CommandAnswer,
  ExportLine,
  InspectionRecord,
} from './protocol.ts';
