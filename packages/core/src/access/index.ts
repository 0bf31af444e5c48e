/** Who may do what: roles and traits in, a decision with its reasons out. Pure; deny wins everywhere. */
export type * from "./types.ts";
export { aboutCluster } from "./reason.ts";
export { buildRoleSet } from "./role-set.ts";
export type { RoleSetOptions } from "./role-set.ts";
export { activeLock, describeLock, describeTarget, findLock, kubeUnderLocks, lockReason, underLocks } from "./lock.ts";
