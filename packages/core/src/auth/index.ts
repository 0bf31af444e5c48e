/** Logins, sessions, the gatekeeper (who is this certificate, now), and what administrators do. */
export type * from "./types.ts";
export type * from "./mfa-types.ts";
export type { DeviceView, FactorsView } from "./mfa/index.ts";
export { hostCertificateTtl } from "./nodes/index.ts";
export type { HostGrant, HostJoinRequest, HostJoins, HostRenewRequest, NodeAddress, NodeDirectory, NodeEntry, NodeResolution, Revocations } from "./nodes/index.ts";
export type { Headless, HeadlessView } from "./headless/index.ts";
export { openAuth } from "./service.ts";
export { passwordLength } from "./passwords.ts";
