/** The process itself: what holds the parts together, from the first look for another agent to the last goodbye. */
export { runAgent } from "./run.ts";
export type { RunOptions } from "./run.ts";
export { openLog } from "./log.ts";
export type { AgentLog } from "./log.ts";
