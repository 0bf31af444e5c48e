/** Sessions on the client's side: live ones, found and watched, and recordings, found, fetched, played, exported. */
export { fileBytes, openPlayable } from "./playable.ts";
export type { Playable } from "./playable.ts";
export { exportAsciicastText, exportFormats, exportRecording } from "./export.ts";
export type { ExportFormat } from "./export.ts";
export { findRecording, parseSince } from "./find.ts";
export { commandWords, describePlace, describeSession, findSession } from "./live.ts";
export type { Place } from "./live.ts";
export { leaveKey, sessionKeyboard } from "./join.ts";
export type { SessionKeyboard } from "./join.ts";
export { ownTerminal, watchSession } from "./watch.ts";
export type { WatchOptions } from "./watch.ts";
export { fetchRecording } from "./fetch.ts";
export { play } from "./player.ts";
export { isLarger } from "./status.ts";
export type { PlayOptions, PlayTerminal, PlayTimer } from "./player.ts";
export { processTerminal, systemTimer } from "./process-terminal.ts";
