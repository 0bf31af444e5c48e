/**
 * What is under way on a gateway, whatever the protocol: live things that end when a right is lost, sessions that are recorded, counted, listed, ended
 * and joined, and the audit log with its health.
 */
export { Registry, idleReason } from "./registry.ts";
export type { RegistryOptions } from "./registry.ts";
export { Recorder } from "./recorder.ts";
export { SessionRefused } from "./refused.ts";
export { clip, clipAll } from "./header.ts";
export { Sessions } from "./sessions.ts";
export type { SessionsOptions } from "./sessions.ts";
export type * from "./types.ts";
