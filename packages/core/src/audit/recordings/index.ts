/** Recordings: of live sessions, written as they happen and closed after a crash; of ended ones, to be read. */
export { openRecordings } from "./open.ts";
export type { RecordingsOptions } from "./open.ts";
export { openRecordingLibrary } from "./library.ts";
export type { ListedRecording, OpenRecording, RecordingLibrary, RecordingQuery } from "./library.ts";
export type { SessionKey } from "./catalogue.ts";
export type { RecordingFacts } from "./facts.ts";
export { fileEvent, nodeFields, sessionEnd, sessionEnds, sessionGap, sessionReading, sessionResize, sessionStart, sshPort, subsystem } from "./events.ts";
export type { FileEvent, SessionEnd } from "./events.ts";
export type { CreateFile, Recording, RecordingFile, RecordingLimits, RecordingListener, RecordingMode, RecordingResult, Recordings } from "./types.ts";
