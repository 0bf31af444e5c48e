/** The local agent: one process per person that holds logins in memory, serves them to ssh and kubectl, renews them, and warns before they end. */
export type { AgentContext, AgentLock, AgentLogins, SshAgent } from "./parts.ts";
