/** The ssh-agent of the local agent: the certificates of all logins, keys that `ssh-add` brought, and the agent that was there before. */
export { createSshAgent } from "./ssh-agent.ts";
export type { SshAgentOptions } from "./ssh-agent.ts";
export type { AskToUse } from "./askpass.ts";
