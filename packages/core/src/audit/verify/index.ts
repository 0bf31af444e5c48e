/** Verification of the audit log: pure, for a client command too. Bytes in, findings out. */
export { chainText, lineHash, readChain } from "./chain-line.ts";
export type { ChainLink } from "./chain-line.ts";
export { checkpointText, isKey, readCheckpoint, verifyCheckpoint } from "./checkpoint.ts";
export type { Checkpoint, CheckpointLine } from "./checkpoint.ts";
