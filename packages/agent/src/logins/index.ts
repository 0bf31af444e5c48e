/** The logins of a person in the agent's memory: given to kubectl and ssh, kept when no keystore shall have them. */
export { createLogins } from "./create.ts";
export type { LoginsOptions } from "./create.ts";
