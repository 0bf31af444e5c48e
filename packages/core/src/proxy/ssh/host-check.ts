import { parseAuthorizedKey, sshFingerprint, verifySshCertificate } from "../../formats/index.ts";
import type { NodeEntry } from "../../auth/index.ts";
import { GatehouseError, escapeLine } from "../../base/index.ts";
import type { HostProof } from "../../ssh/index.ts";
import type { SshContext } from "./context.ts";
import { Denied } from "./denied.ts";

/** Names that a host's certificate may be for; one of them has to be among its principals. */
export function hostNames({ id, hostname }: Pick<NodeEntry, "id" | "hostname">, clusterName: string): readonly string[] {
  return [`${id}.${clusterName}`, `${hostname}.${clusterName}`, hostname].map((name) => name.toLowerCase());
}

/**
 * Holds what a host has shown against the `host` authority, its names, the time and the key that it is bound to. Throws {@link Denied}: nothing was said to it about the
 * person by then.
 */
export function checkHost({ authorities, revocations, clock }: Pick<SshContext, "authorities" | "revocations" | "clock">, node: NodeEntry, { key, certificate }: HostProof): void {
  const name = escapeLine(node.hostname);
  const refuse = (why: string): never => {
    throw new Denied("access_denied", "host_certificate", `${name} is not trusted: ${why}`, { hint: "an administrator lets it join: tctl nodes add", detail: `${why} (its key is ${sshFingerprint(key)})` });
  };
  if (certificate === undefined) return refuse("it has no certificate of this cluster");
  if (node.hostKey !== undefined && sshFingerprint(key) !== node.hostKey) return refuse("its key is not the one that it joined with");
  const caKeys = authorities.trust("host").sshKeys.map((line) => parseAuthorizedKey(line).blob);
  const names = hostNames(node, authorities.clusterName);
  try {
    verifySshCertificate(certificate, { caKeys, now: clock.now(), type: "host" });
  } catch (error) {
    if (!(error instanceof GatehouseError)) throw error;
    return refuse(error.message);
  }
  if (revocations.isHostRevoked(certificate.serial)) refuse("its certificate was revoked when the host that had it was removed");
  if (!names.some((each) => certificate.principals.includes(each))) refuse(`its certificate is for ${escapeLine(certificate.principals.slice(0, 5).join(", "))}`);
}
