/** What tests of several packages need of the machine. In no bundle. */
export { requireTool } from "./tools.ts";
export { requirePostQuantumOpenSsh } from "./openssh.ts";
export type { PostQuantumOpenSsh } from "./openssh.ts";
export { freePort } from "./ports.ts";
export { sshRun, startSshd } from "./sshd.ts";
export type { SshLogin, Sshd } from "./sshd.ts";
export { certifySshKey, newSshKey, sshKeyKinds } from "./ssh-certificates.ts";
export type { SshKeyKind } from "./ssh-certificates.ts";
export { loadedWith, notAmong } from "./module-graph.ts";
