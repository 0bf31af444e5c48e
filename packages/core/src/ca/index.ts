/** The cluster's certificate authorities: issuing, trust bundles, and who a client certificate belongs to. */
export { openAuthorities } from "./open.ts";
export type { AuthoritiesOptions } from "./open.ts";
export { newKeyPair } from "./authority.ts";
export { connectionKeyId } from "./key-id.ts";
export { exportAuthority } from "./export.ts";
export type {
  Authorities,
  AuthorityKind,
  CertificateIdentity,
  CertificatePair,
  ConnectionCertificateRequest,
  HostCertificateRequest,
  KeyPair,
  SshCertificateLine,
  SshHostCertificate,
  SshHostCertificateRequest,
  SshPeer,
  TrustBundle,
  UserCertificateRequest,
} from "./types.ts";
