/** Reaching hosts through the gateway: the connection that `tsh proxy ssh` carries, and the agent beside it. */
export { agentDialogue, holdKey, noKeys, serveAgent, upstreamAgent } from "./agent/index.ts";
export type { AgentSocket, AgentSocketOptions, DialogueOptions, HeldKeys, UpstreamAgent } from "./agent/index.ts";
export { connectHost } from "./connect-host.ts";
export type { HostConnection } from "./connect-host.ts";
export { pump } from "./pump.ts";
export { isLabelTarget, parseHostTarget } from "./target.ts";
export type { HostTarget } from "./target.ts";
