/** What commands and the local agent share: where its sockets are and whose, what is said over them, and one question asked. As lean as what kubectl waits for. */
export { agentIsOff, agentPlace, AgentPlaceRefused, checkAgentDirectory, checkAgentSocket, isFirstRefusal, makeAgentDirectory } from "./place.ts";
export type { AgentPlace } from "./place.ts";
export { agentLimits, agentProtocol, formatAgentAnswer, formatAgentRefusal, formatAgentRequest, parseAgentAnswer } from "./protocol.ts";
export type { AgentIdentityAnswer, AgentLogin, AgentStatus, AgentVerb, AgentVerbs, RenewalState } from "./protocol.ts";
export { AgentLocked } from "./locked.ts";
export { askAgent } from "./ask.ts";
export { agentNodeFlags } from "./node-flags.ts";
export { isPipeNonce, isPipeProof, pipeNonce, pipeProof } from "./pipe-proof.ts";
