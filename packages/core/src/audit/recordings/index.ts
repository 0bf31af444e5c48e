/** Recordings: of live sessions, written as they happen and closed after a crash; of ended ones, to be read. */
export { openRecordings } from "./open.ts";
export type { RecordingsOptions } from "./open.ts";
export { openRecordingLibrary } from "./library.ts";
export type { ListedRecording, OpenRecording, RecordingLibrary, RecordingQuery } from "./library.ts";
export type { SessionKey } from "./catalogue.ts";
export type { RecordingFacts } from "./facts.ts";
export { sessionEnd, sessionGap, sessionResize, sessionStart } from "./events.ts";
export type { SessionEnd } from "./events.ts";
export type { CreateFile, Recording, RecordingFile, RecordingLimits, RecordingListener, RecordingMode, RecordingResult, Recordings } from "./types.ts";
