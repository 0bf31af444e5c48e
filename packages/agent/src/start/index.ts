/** Starting and ending the agent from a command: nothing here loads what the agent itself is made of. */
export { agentBuild } from "./build.ts";
export { ensureAgent, startAgent, startMark, wantsAgent } from "./ensure.ts";
export type { AgentProgram, StartOptions } from "./ensure.ts";
export { recordAgent, stopAgent } from "./stop.ts";
export type { StopTimes } from "./stop.ts";
export { agentEnvironment } from "./environment.ts";
