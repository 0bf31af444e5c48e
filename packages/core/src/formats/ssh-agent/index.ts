/** The part of the room that a process which is an ssh-agent all day keeps in memory: beside `formats/ssh`, what people bring with `ssh-add`, and where it may be used. */
export { parseAddedKey } from "../agent-keys.ts";
export type { AddedKey } from "../agent-keys.ts";
export { parseAgentDestinations } from "../agent-constraints.ts";
export type { AgentDestination, AgentHop } from "../agent-constraints.ts";
export { parseSignedUserauth } from "../agent-userauth.ts";
export type { SignedUserauth } from "../agent-userauth.ts";
export { verifySshCertificate } from "../ssh-cert-verify.ts";
export { sshFingerprint } from "../ssh-keys.ts";
