/** The part of the room without schemas: what `ssh` waits for loads nothing else of it. */
export { sshServerName } from "../names.ts";
export { refusalOf } from "../refusal.ts";
export { readSshEnding, sshConnectHeaders, sshConnectPath, sshConnectUrl, sshUpgrade, sshEndingUrl } from "../ssh.ts";
export type { SshConnectRequest } from "../ssh.ts";
