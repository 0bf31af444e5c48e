/** Request and response schemas that both ends share, and the typed clients over an injected transport. */
export * from "./sso-test.ts";
export * from "./web.ts";
export * from "./admin.ts";
export * from "./events.ts";
export * from "./headless.ts";
export * from "./recordings.ts";
export * from "./sessions.ts";
export * from "./nodes.ts";
export { refusalOf } from "./refusal.ts";
export { sshConnectHeaders, sshConnectPath, sshConnectUrl, sshUpgrade, readSshEnding, sshEndingPath, sshEndingUrl } from "./ssh.ts";
export type { SshConnectRequest } from "./ssh.ts";
export { adminServerName, kubeServerName, parseKubeServerName, sshServerName } from "./names.ts";
export { createAdminClient, createWebClient } from "./client.ts";
export type { AdminClient, Transport, TransportResponse, TransportStream, WebClient } from "./client.ts";
export * from "./mfa.ts";
