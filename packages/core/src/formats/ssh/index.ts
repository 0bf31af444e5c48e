/** The part of the room that speaks SSH: what `ssh` waits for loads nothing else of it. */
export { agentFlags, agentFrame, agentLimits, agentMessage, encodeAgentRequest, encodeAgentResponse, parseAgentRequest, parseAgentResponse, parseSessionBind } from "../agent-protocol.ts";
export { createAgentFrames } from "../agent-frames.ts";
export type { AgentFrames } from "../agent-frames.ts";
export type { AgentIdentity, AgentRequest, AgentResponse, AgentSessionBind } from "../agent-protocol.ts";
export { formatAuthorizedKey, parseAuthorizedKey, sshPublicKey } from "../ssh-keys.ts";
export { parseSshCertificate } from "../ssh-cert.ts";
export { sshSign, sshVerify } from "../ssh-signature.ts";
