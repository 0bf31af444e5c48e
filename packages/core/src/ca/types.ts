import type { KeyObject } from "node:crypto";
import type { SshCertificate } from "../formats/index.ts";

/**
 * `user`: people's certificates, trusted by gateways alone. `openssh`: certificates minted for one connection to one host,
 * trusted by hosts. `host`: the gateway's own server certificates, and hosts'.
 */
export type AuthorityKind = "user" | "openssh" | "host";

/** The public half of one authority. Index 0 signs; all verify (rotation keeps the old ones here). */
export interface TrustBundle {
  readonly kind: AuthorityKind;
  readonly clusterName: string;
  /** `authorized_keys` style lines without comment: `ssh-ed25519 AAAA…`. */
  readonly sshKeys: readonly string[];
  /** CA certificates, PEM; none for `openssh`. */
  readonly tlsCertificates: readonly string[];
}

/** What a user certificate is asked to say. */
export interface UserCertificateRequest {
  /** The person's public key, as one `authorized_keys` line. */
  readonly publicKey: string;
  readonly username: string;
  /** Immutable subject id (DESIGN "Identity"). */
  readonly subjectId: string;
  /** Login session that the certificate belongs to. */
  readonly sessionId: string;
  /** How many certificates the session has had, with this one; 1 where absent. */
  readonly generation?: number | undefined;
  readonly roles: readonly string[];
  /** Host logins (SSH principals). May be empty: then the SSH certificate names the one principal `-no-logins-` that no host accepts. */
  readonly logins: readonly string[];
  readonly traits: Readonly<Record<string, readonly string[]>>;
  /** Lifetime in ms. */
  readonly ttl: number;
  /** ms since the epoch, at least a second from now: it does not last beyond this, whatever `ttl` says. */
  readonly latest?: number | undefined;
  readonly permitPortForwarding: boolean;
  readonly permitAgentForwarding: boolean;
  /** Ranges from which the SSH certificate is good (its option `source-address`): undefined is anywhere, an empty list nowhere. */
  readonly sourceAddresses?: readonly string[] | undefined;
  /** `oldssh` leaves out the `teleport-*` extensions (reference §3.1). */
  readonly format: "standard" | "oldssh";
}

/** What a host (or gateway) certificate is asked to say. */
export interface HostCertificateRequest {
  readonly publicKey: string;
  readonly hostId: string;
  readonly nodeName: string;
  /** System role: `Proxy`, `Node`, … */
  readonly role: string;
  /** Extra SSH principals. */
  readonly principals: readonly string[];
  readonly dnsNames: readonly string[];
  readonly ipAddresses: readonly string[];
  /** Lifetime in ms. */
  readonly ttl: number;
}

/** A certificate for one connection to one host, made after the decision about it. */
export interface ConnectionCertificateRequest {
  /** Key of whoever connects, as one `authorized_keys` line. */
  readonly publicKey: string;
  /** The person on whose behalf, and the id of their login session: the host's log shows both (its key id), and a revocation list finds it by them. */
  readonly username: string;
  readonly sessionId: string;
  /** The one login and the one host that it is good for: its principal is `<login>@<node id>`. */
  readonly login: string;
  readonly nodeId: string;
  /** Addresses and ranges from which the host sees the connection come; at least one. */
  readonly sourceAddresses: readonly string[];
  /** What the host runs instead of what is asked for. */
  readonly forceCommand?: string | undefined;
  /** Lifetime in ms, at most five minutes. */
  readonly ttl: number;
  readonly permitPortForwarding: boolean;
  readonly permitAgentForwarding: boolean;
  readonly permitX11Forwarding?: boolean | undefined;
}

/** What an SSH certificate is held against besides its authority. */
export interface SshPeer {
  /** User name of the attempt; has to be among the principals. */
  readonly login: string;
  /** IP address that it comes from. */
  readonly address: string;
}

/** What the certificate of a host with stock OpenSSH is asked to say. */
export interface SshHostCertificateRequest {
  /** The host's public key, as one `authorized_keys` line. */
  readonly publicKey: string;
  /** For logs. */
  readonly keyId: string;
  /** Every name that it may be met by; nothing is added. */
  readonly principals: readonly string[];
  /** Lifetime in ms. */
  readonly ttl: number;
}

/** A host's SSH certificate. */
export interface SshHostCertificate {
  /** One line, newline-terminated. */
  readonly ssh: string;
  readonly serial: bigint;
  /** End of validity, ms since the epoch. */
  readonly expires: number;
}

/** An SSH certificate alone. */
export interface SshCertificateLine {
  /** One line, newline-terminated. */
  readonly ssh: string;
  /** End of validity, ms since the epoch. */
  readonly expires: number;
}

/** A pair of certificates over one public key. */
export interface CertificatePair {
  /** OpenSSH certificate, one line, newline-terminated. */
  readonly ssh: string;
  /** X.509 certificate, PEM. */
  readonly tls: string;
  /** End of validity, ms since the epoch. */
  readonly expires: number;
}

/** What a user's X.509 certificate says of its holder (reference §4.1, and our session extension). */
export interface CertificateIdentity {
  readonly username: string;
  readonly roles: readonly string[];
  readonly logins: readonly string[];
  readonly traits: Readonly<Record<string, readonly string[]>>;
  /** Usage restriction (`usage:kube`); empty means none. */
  readonly usage: readonly string[];
  readonly clusterName: string;
  /** Absent in certificates that v3 peers issued. */
  readonly subjectId: string | undefined;
  readonly sessionId: string | undefined;
  /** {@link UserCertificateRequest.generation}; 1 where it does not say. */
  readonly generation: number;
  readonly serial: string;
  /** ms since the epoch. */
  readonly notBefore: number;
  readonly notAfter: number;
}

/** The certificate authorities of one cluster. Keys stay inside. */
export interface Authorities {
  readonly clusterName: string;
  trust(kind: AuthorityKind): TrustBundle;
  /** `sha256:<hex>` of the SPKI of the host authority's certificate: the `--ca-pin`. */
  readonly caPin: string;
  /** Throws `bad_parameter` for a name, role, key or ttl that no certificate may carry. */
  issueUser(request: UserCertificateRequest): CertificatePair;
  /** Signed by `openssh`: the only certificates that hosts take. */
  issueConnection(request: ConnectionCertificateRequest): SshCertificateLine;
  issueHost(request: HostCertificateRequest): CertificatePair;
  /** For a host, not a gateway: no X.509, and just the names given. Throws `bad_parameter`. */
  issueSshHost(request: SshHostCertificateRequest): SshHostCertificate;
  /**
   * Who a TLS client certificate (DER) belongs to. Throws `unauthenticated`, with the cause spelled out, for one that this cluster's user
   * authority did not sign, that is expired or not valid yet, that is a CA or host certificate, or that lacks the client-auth usage.
   */
  identifyUser(certificateDer: Uint8Array): CertificateIdentity;
  /**
   * Who an SSH user certificate belongs to; whoever brought it has still to prove that they hold its key. Throws `unauthenticated` with the cause: another authority, a host's or a connection's
   * certificate, expired, not for this login or address, an unknown critical option, or one that names no login session.
   */
  identifySshUser(certificate: SshCertificate, peer: SshPeer): CertificateIdentity;
}

/** A key pair made for one certificate. */
export interface KeyPair {
  readonly privateKey: KeyObject;
  /** `authorized_keys` line. */
  readonly publicKey: string;
}
