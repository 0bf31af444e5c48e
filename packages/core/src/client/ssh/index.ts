/** Reaching hosts through the gateway: the connection that `tsh proxy ssh` carries, and the agent beside it. */
export { agentClients, agentDialogue, holdKey, maxSocketPath, noKeys, serveAgent, upstreamAgent } from "./agent/index.ts";
export type { AddedKeys, AgentClients, AgentSocket, AgentSocketOptions, DialogueOptions, HeldKeys, SessionBinding, SessionBindings, UpstreamAgent } from "./agent/index.ts";
export { askEnding, connectHost } from "./connect-host.ts";
export type { HostConnection } from "./connect-host.ts";
export { chooseHosts } from "./choose-hosts.ts";
export type { ChoiceOptions, ChosenHost } from "./choose-hosts.ts";
export { openRunFolder } from "./run-folder.ts";
export type { PreparedRun, RunFolder, RunHost, RunProgram } from "./run-folder.ts";
export { hostKeyAlgorithms, sshConfigBlock } from "./config-block.ts";
export type { SshConfigOptions } from "./config-block.ts";
export { sshConfigPath, writeSshConfig } from "./config-file.ts";
export { parseFilePlace } from "./file-place.ts";
export type { FilePlace } from "./file-place.ts";
export { knownHostsText } from "./known-hosts.ts";
export { pump } from "./pump.ts";
export { isLabelTarget, parseHostTarget } from "./target.ts";
export type { HostTarget } from "./target.ts";
