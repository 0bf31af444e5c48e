/** Identity providers: redirect out, validate back, teams to roles and traits. */
export type * from "./types.ts";
export { createGithubClient } from "./github/client.ts";
export { callbackUrl, githubEndpoints, isLoopback } from "./github/endpoints.ts";
export type { GithubEndpoints } from "./github/endpoints.ts";
export { accessRole, mapTeams } from "./github/map-teams.ts";
export { PinMismatch, checkPins, stalePins } from "./github/pins.ts";
