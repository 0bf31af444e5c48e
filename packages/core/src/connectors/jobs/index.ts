/** JWTs of jobs: whose they are, by the keys of whoever signed them. */
export { createIssuerKeys } from "./keys.ts";
export type { IssuerKeys, IssuerLimits } from "./keys.ts";
export { JoinRefused } from "./refusal.ts";
export { maxJwt, maxJwtAge, verifyJobJwt } from "./verify.ts";
export type { JobExpectation } from "./verify.ts";
