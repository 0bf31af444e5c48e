/** What `main.ts` of tsh and of tctl have in common: it loads nothing before it is needed. */
export { completeCommand, fetchCommand, runHidden } from "./hidden.ts";
export type { HiddenCommands } from "./hidden.ts";
export { loadOutput, reportThrown } from "./report.ts";
