/** Logins of machines: where a job's own JWT is, the trade of it for certificates, and keeping files fresh while a job runs. */
export { canRenew, joinAudience, readJobJwt, readJoinToken } from "./proof.ts";
export type { JoinMethod, ProofOptions } from "./proof.ts";
export { openJoiner } from "./joiner.ts";
export type { Joined, Joiner, JoinerOptions } from "./joiner.ts";
export { keepFresh } from "./keep.ts";
export type { KeepOptions } from "./keep.ts";
