import type { ExportResponse } from "../api/index.ts";
import { parseAuthorizedKey, sshFingerprint } from "../formats/index.ts";
import type { TrustBundle } from "./types.ts";

/**
 * An authority's public half as administrators carry it about: SSH lines (reference §3.5), CA certificates in PEM, and the `SHA256:…` of each SSH
 * key. `user`: lines for `authorized_keys`; `host`: for `known_hosts`; `openssh`: plain keys with a comment, since that is what sshd's
 * `TrustedUserCAKeys` reads. `logins` go into host lines, as in v3's identity files.
 */
export function exportAuthority(bundle: TrustBundle, logins: readonly string[] = []): ExportResponse {
  const { kind, clusterName, sshKeys, tlsCertificates } = bundle;
  const named = new URLSearchParams([["clustername", clusterName], ["type", kind]]).toString();
  const hostComment = new URLSearchParams([...logins.map((login): [string, string] => ["logins", login]), ["type", kind]]).toString();
  const lines = {
    user: (key: string) => `cert-authority ${key} ${named}`,
    openssh: (key: string) => `${key} ${named}`,
    host: (key: string) => `@cert-authority *.${clusterName} ${key} ${hostComment}`,
  };
  return { ssh: sshKeys.map(lines[kind]), tls: [...tlsCertificates], fingerprints: sshKeys.map((key) => sshFingerprint(parseAuthorizedKey(key).blob)) };
}
