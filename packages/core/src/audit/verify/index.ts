/** Verification of the audit log: pure, for a client command too. Bytes in, findings out. */
export { chainText, lineHash, readChain } from "./chain-line.ts";
export type { ChainLink } from "./chain-line.ts";
export { checkpointText, isKey, readCheckpoint, verifyCheckpoint } from "./checkpoint.ts";
export type { Checkpoint, CheckpointLine } from "./checkpoint.ts";
export { maxLine, readLines } from "./lines.ts";
export type { RawLine } from "./lines.ts";
export { isRecordingName } from "./sessions.ts";
export { checkpointMarker, readWitnessLine } from "./witness.ts";
export { verifyLogs } from "./verify.ts";
export type { VerifyOptions } from "./verify.ts";
export type { Finding, LogSource, LogSourceFile, Note, Place, ServerSummary, Verification } from "./types.ts";
