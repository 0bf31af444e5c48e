/** Starting the agent from a command: nothing here loads what the agent itself is made of. */
export { agentBuild } from "./build.ts";
export { ensureAgent, startAgent, startMark, wantsAgent } from "./ensure.ts";
export type { AgentProgram, StartOptions } from "./ensure.ts";
export { agentEnvironment } from "./environment.ts";
