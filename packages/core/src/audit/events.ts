import type { AuditEventInput, EventValue } from "./types.ts";

/** Where a request came from; the fields `addr.remote` and `addr.local` (`ip:port`). */
export interface EventOrigin {
  readonly remoteAddress: string;
  readonly localAddress?: string | undefined;
}

/** More fields of an event, beside those that its constructor knows. */
export type EventFields = Readonly<Record<string, EventValue | undefined>>;

/**
 * Names and codes. `T…` are v3's (reference §12.1), `G…` ours. A code ends in I (done), W (refused) or E (failed).
 * On a hot path, spread one of these into a literal; elsewhere use the constructors below.
 */
export const auditEvents = {
  localLogin: { event: "user.login", code: "T1000I" },
  localLoginFailed: { event: "user.login", code: "T1000W" },
  ssoLogin: { event: "user.login", code: "T1001I" },
  ssoLoginFailed: { event: "user.login", code: "T1001W" },
  subsystem: { event: "subsystem", code: "T3001I" },
  subsystemFailed: { event: "subsystem", code: "T3001E" },
  exec: { event: "exec", code: "T3002I" },
  execFailed: { event: "exec", code: "T3002E" },
  port: { event: "port", code: "T3003I" },
  portFailed: { event: "port", code: "T3003E" },
  scpDownload: { event: "scp", code: "T3004I" },
  scpDownloadFailed: { event: "scp", code: "T3004E" },
  scpUpload: { event: "scp", code: "T3005I" },
  scpUploadFailed: { event: "scp", code: "T3005E" },
  sftp: { event: "sftp", code: "G2006I" },
  sftpFailed: { event: "sftp", code: "G2006E" },
  clientDisconnect: { event: "client.disconnect", code: "T3006I" },
  authFailed: { event: "auth", code: "T3007W" },
  sessionLogout: { event: "session.logout", code: "G1000I" },
  certCreate: { event: "cert.create", code: "G1001I" },
  certRenewFailed: { event: "cert.renew", code: "G1040W" },
  loginReplayed: { event: "session.revoked", code: "G1041W" },
  userInvite: { event: "user.invite", code: "G1002I" },
  userReset: { event: "user.reset", code: "G1003I" },
  identityRefused: { event: "identity.refused", code: "G1004W" },
  userPassword: { event: "user.password", code: "G1005I" },
  mfaAdd: { event: "mfa.add", code: "G1020I" },
  mfaRemove: { event: "mfa.remove", code: "G1021I" },
  mfaUse: { event: "mfa.use", code: "G1022I" },
  mfaRefused: { event: "mfa.refused", code: "G1023W" },
  headlessRequest: { event: "headless.request", code: "G1030I" },
  headlessApprove: { event: "headless.approve", code: "G1031I" },
  headlessRefuse: { event: "headless.refuse", code: "G1032W" },
  mfaRecoveryCodes: { event: "mfa.recovery_codes", code: "G1024I" },
  botJoin: { event: "bot.join", code: "G1007I" },
  botJoinFailed: { event: "bot.join", code: "G1007W" },
  nodeJoinFailed: { event: "node.join", code: "G1008W" },
  nodeRenewFailed: { event: "node.renew", code: "G1009W" },
  hostCertCreate: { event: "host_cert.create", code: "G1010I" },
  authSign: { event: "auth.sign", code: "G1006I" },
  sessionStart: { event: "session.start", code: "T2000I" },
  sessionJoin: { event: "session.join", code: "T2001I" },
  sessionLeave: { event: "session.leave", code: "T2003I" },
  resize: { event: "resize", code: "T2002I" },
  sessionEnd: { event: "session.end", code: "T2004I" },
  sessionGap: { event: "session.gap", code: "G2003W" },
  sessionPlay: { event: "session.play", code: "G2004I" },
  sessionDigest: { event: "session.digest", code: "G2005I" },
  kubeRequest: { event: "kube.request", code: "G2000I" },
  kubeUpgrade: { event: "kube.upgrade", code: "G2001I" },
  kubeUpgradeFailed: { event: "kube.upgrade", code: "G2001E" },
  kubeDenied: { event: "kube.denied", code: "G2002W" },
  sshConnect: { event: "ssh.connect", code: "G2010I" },
  sshConnectFailed: { event: "ssh.connect", code: "G2010E" },
  sshDisconnect: { event: "ssh.disconnect", code: "G2011I" },
  auditStart: { event: "audit.start", code: "G4000I" },
  auditCheckpoint: { event: "audit.checkpoint", code: "G4001I" },
  auditCheckpointFailed: { event: "audit.failed", code: "G4001E" },
  auditPruned: { event: "audit.pruned", code: "G4002I" },
  connectorTest: { event: "sso.test", code: "G3001I" },
  adminDenied: { event: "admin.denied", code: "G3000W" },
} as const satisfies Readonly<Record<string, { readonly event: string; readonly code: string }>>;

const none: EventFields = {};

function originFields(origin: EventOrigin | undefined): EventFields {
  return origin ? { "addr.remote": origin.remoteAddress, "addr.local": origin.localAddress } : none;
}

/** `user.login`, done or refused. `error` says why not (and makes it a refusal); `id` is the refusal id that the person saw. */
export function userLogin(login: {
  readonly method: "local" | "github" | "oidc" | "saml";
  readonly user?: string | undefined;
  readonly error?: string | undefined;
  readonly message?: string | undefined;
  readonly id?: string | undefined;
  readonly origin?: EventOrigin | undefined;
  readonly fields?: EventFields | undefined;
}): AuditEventInput {
  const { method, user, error, message, id } = login;
  const success = error === undefined;
  const [done, failed] = method === "local" ? [auditEvents.localLogin, auditEvents.localLoginFailed] : [auditEvents.ssoLogin, auditEvents.ssoLoginFailed];
  return { ...login.fields, ...(success ? done : failed), user, method, success, error, message, id, ...originFields(login.origin) };
}

/** `auth`: a connection whose certificate or key was refused. */
export function authFailed(refusal: {
  readonly user?: string | undefined;
  readonly error: string;
  readonly id?: string | undefined;
  readonly origin?: EventOrigin | undefined;
}): AuditEventInput {
  const { user, error, id } = refusal;
  return { ...auditEvents.authFailed, user, success: false, error, id, ...originFields(refusal.origin) };
}

/** What every event about a person's Kubernetes stream says. */
export interface KubeStreamFields {
  readonly user: string;
  readonly login: string;
  readonly kubernetesCluster: string;
  readonly kubernetesNamespace?: string | undefined;
  readonly pod?: string | undefined;
  readonly container?: string | undefined;
  readonly origin?: EventOrigin | undefined;
  readonly fields?: EventFields | undefined;
}

function streamFields(stream: KubeStreamFields): EventFields {
  return {
    ...stream.fields,
    proto: "kube",
    // v3's own namespace; the pod's is `kubernetes_namespace`.
    namespace: "default",
    user: stream.user,
    login: stream.login,
    kubernetes_cluster: stream.kubernetesCluster,
    kubernetes_namespace: stream.kubernetesNamespace,
    kubernetes_pod: stream.pod,
    kubernetes_container: stream.container,
    ...originFields(stream.origin),
  };
}

/** `exec`: a command in a pod. `error` makes it a failure; `exitCode` is text, as in v3. */
export function exec(stream: KubeStreamFields & { readonly command: string; readonly exitCode?: string | undefined; readonly error?: string | undefined }): AuditEventInput {
  const kind = stream.error === undefined ? auditEvents.exec : auditEvents.execFailed;
  return { ...streamFields(stream), ...kind, command: stream.command, exitCode: stream.exitCode, exitError: stream.error };
}

/** `port`: a port-forward; `addr` is `pod:port`. */
export function port(stream: KubeStreamFields & { readonly addr: string; readonly error?: string | undefined }): AuditEventInput {
  const success = stream.error === undefined;
  return { ...streamFields(stream), ...(success ? auditEvents.port : auditEvents.portFailed), addr: stream.addr, success, error: stream.error };
}

/** `client.disconnect`: a live stream was ended, and why. */
export function clientDisconnect(end: {
  readonly user: string;
  readonly login?: string | undefined;
  readonly serverId?: string | undefined;
  readonly reason: string;
  readonly origin?: EventOrigin | undefined;
  readonly fields?: EventFields | undefined;
}): AuditEventInput {
  const { user, login, serverId, reason } = end;
  return { ...end.fields, ...auditEvents.clientDisconnect, user, login, server_id: serverId, reason, ...originFields(end.origin) };
}

const resourceCodes: Readonly<Record<string, string>> = { user: "G301", role: "G302", github: "G303", oidc: "G307", saml: "G308", token: "G304", cluster_auth_preference: "G305", lock: "G306", bot: "G310", node: "G311" };
const verbCodes = { create: "0I", update: "1I", delete: "2I" } as const;

/** `<kind>.create`, `.update` or `.delete`: an administrator (or a login, for SSO users) changed a resource. */
export function resourceChange(change: {
  readonly kind: string;
  readonly verb: "create" | "update" | "delete";
  readonly name: string;
  /** Who did it; `local-admin` for the administrator of the host. */
  readonly user: string;
  readonly revision?: number | undefined;
  readonly origin?: EventOrigin | undefined;
  readonly fields?: EventFields | undefined;
}): AuditEventInput {
  const { kind, verb, name, user, revision } = change;
  return { ...change.fields, event: `${kind}.${verb}`, code: `${resourceCodes[kind] ?? "G309"}${verbCodes[verb]}`, kind, name, user, revision, ...originFields(change.origin) };
}
