/** An ssh-agent in parts: the keys that it holds and those that it was brought, the sessions that ask, the agent behind it, the dialogue with one client, and the socket. */
export { holdKey, noKeys } from "./held-keys.ts";
export type { HeldKeys } from "./held-keys.ts";
export { upstreamAgent } from "./upstream.ts";
export type { UpstreamAgent } from "./upstream.ts";
export { agentDialogue } from "./converse.ts";
export type { DialogueOptions } from "./dialogue.ts";
export { agentClients } from "./clients.ts";
export type { AgentClients } from "./clients.ts";
export { maxSocketPath, serveAgent } from "./socket.ts";
export type { AgentSocket, AgentSocketOptions } from "./socket.ts";
export type { AddedKeys, DialogueLock } from "./added-keys.ts";
export type { SessionBinding, SessionBindings } from "./bindings.ts";
