/** Identity providers: redirect out, validate back, teams, claims and attributes to roles and traits. */
export type * from "./types.ts";
export { callbackUrl, isLoopback } from "./addresses.ts";
export { openProvider } from "./provider.ts";
export { githubEndpoints } from "./github/endpoints.ts";
export type { GithubEndpoints } from "./github/endpoints.ts";
export { accessRole, mapTeams } from "./github/map-teams.ts";
export { PinMismatch, checkPins, comparePins, stalePins } from "./github/pins.ts";
export { checkSamlConnector } from "./saml/check-connector.ts";
export { samlServiceMetadata } from "./saml/service-provider.ts";
export { JoinRefused, createIssuerKeys, maxJwt, maxJwtAge, verifyJobJwt } from "./jobs/index.ts";
export type { IssuerKeys, IssuerLimits, JobExpectation } from "./jobs/index.ts";
