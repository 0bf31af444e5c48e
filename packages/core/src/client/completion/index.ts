/** What a shell asks when a person presses TAB: which words may stand there, in the path that loads no command. */
export { manifestName, readManifest } from "./manifest.ts";
export type { ArgFacts, CommandFacts, FlagFacts, Manifest } from "./manifest.ts";
export { nameKinds } from "./places.ts";
export type { NameKind, NamePlaces, Place } from "./places.ts";
export { cacheKey, forgetNames, keepNames, nameAges, readNames } from "./cache.ts";
export type { Name, NameLists } from "./cache.ts";
export type { NameSource } from "./fetch-soon.ts";
export { completeFor, profileMeant } from "./complete.ts";
export type { Completing } from "./complete.ts";
export { isShell, shells } from "./render.ts";
export type { Shell } from "./render.ts";
export { completionScript } from "./scripts.ts";
export { runComplete } from "./run.ts";
export type { CompletedProgram } from "./run.ts";
