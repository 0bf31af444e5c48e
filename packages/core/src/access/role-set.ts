import { limits } from "../base/index.ts";
import { commonRanges } from "../formats/index.ts";
import type { CertificateRenewal, Role, Traits } from "../resources/index.ts";
import { implicitRole } from "./implicit.ts";
import { kubeDecider } from "./kube.ts";
import { nodeDecider } from "./node.ts";
import { ruleDecider } from "./rules.ts";
import type { EffectiveOptions, RoleSet } from "./types.ts";

/** Who the person is, and how far their traits are trusted. */
export interface RoleSetOptions {
  /**
   * All traits are claims of an identity provider, none are the cluster's own words (a local user's, `teams_to_logins`): then
   * `internal.kubernetes_groups` may give no `system:` group either.
   */
  readonly externalTraitsOnly?: boolean | undefined;
  /** The person's own name: `deny.kubernetes_users` may name it. */
  readonly userName?: string | undefined;
}

function smallest(values: readonly number[]): number | undefined {
  const limiting = values.filter((value) => value > 0);
  return limiting.length > 0 ? Math.min(...limiting) : undefined;
}

function optionsOf(roles: readonly Role[]): EffectiveOptions {
  const all = roles.map((role) => role.spec.options);
  return {
    forwardAgent: all.some((one) => one.forward_agent),
    portForwarding: all.some((one) => one.port_forwarding),
    clientIdleTimeout: smallest(all.map((one) => one.client_idle_timeout)) ?? 0,
    disconnectExpiredCert: all.some((one) => one.disconnect_expired_cert),
    certFormat: all.some((one) => one.cert_format === "oldssh") ? "oldssh" : "standard",
    recordStdin: all.some((one) => one.record_stdin),
    headlessLogin: all.every((one) => one.headless_login),
    certificateRenewal: renewal(all.map((one) => one.certificate_renewal)),
    maxSessions: smallest(all.map((one) => one.max_sessions)) ?? 0,
    recordSession: strictest(all.map((one) => one.record_session)),
    sshRecording: recordedWhere(all.map((one) => one.ssh_recording)),
    forceCommands: [...new Set(all.flatMap((one) => one.force_command ?? []))],
    sourceAddresses: common(all.map((one) => one.source_addresses)),
    x11Forwarding: all.some((one) => one.x11_forwarding),
  };
}

function strictest(values: readonly EffectiveOptions["recordSession"][]): EffectiveOptions["recordSession"] {
  return values.includes("strict") ? "strict" : values.find((value) => value !== undefined);
}

function renewal(values: readonly CertificateRenewal[]): CertificateRenewal {
  return (["off", "any"] as const).find((value) => values.includes(value)) ?? "local";
}

function recordedWhere(values: readonly EffectiveOptions["sshRecording"][]): EffectiveOptions["sshRecording"] {
  return values.includes("proxy") ? "proxy" : values.find((value) => value !== undefined);
}

function common(lists: readonly (readonly string[])[]): readonly string[] | undefined {
  const [first, ...others] = lists.filter((list) => list.length > 0);
  return first && others.reduce(commonRanges, first);
}

/**
 * The roles of one person with their traits applied. Pure: the same arguments always decide alike, in whatever order the roles come.
 * What needs traits is worked out once, on first use.
 */
export function buildRoleSet(roles: readonly Role[], traits: Traits, options: RoleSetOptions = {}): RoleSet {
  // By name, so that which of several roles is told as the reason does not depend on their order.
  const sorted = [...roles].sort((a, b) => (a.metadata.name < b.metadata.name ? -1 : a.metadata.name > b.metadata.name ? 1 : 0));
  const all = [...sorted, implicitRole];
  const kube = lazy(() => kubeDecider(all, { traits, externalTraitsOnly: options.externalTraitsOnly === true, userName: options.userName }));
  const node = lazy(() => nodeDecider(all, traits));
  const rule = lazy(() => ruleDecider(all));
  const cap = Math.min(smallest(all.map((role) => role.spec.options.max_session_ttl)) ?? Infinity, limits.maxCertificateTtl);
  const effective = optionsOf(all);
  return {
    roleNames: roles.map((role) => role.metadata.name),
    kube: (target) => kube()(target),
    node: (labels, login) => node().node(labels, login),
    rule: (kind, verb, context) => rule()(kind, verb, context),
    ruleEver: (kind, verb) => rule()(kind, verb, undefined),
    sessionTtl: (requested) => (requested > 0 ? Math.min(requested, cap) : cap),
    logins: () => node().logins(),
    options: () => effective,
  };
}

function lazy<T>(make: () => T): () => T {
  let made: { readonly value: T } | undefined;
  return () => (made ??= { value: make() }).value;
}
