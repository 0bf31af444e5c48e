/** The lock of the agent: one passphrase for what ssh-add and tsh ask for. */
export { createLock } from "./lock.ts";
export type { LockOptions } from "./lock.ts";
