import { GatehouseError } from "../base/index.ts";
import { addressInRanges } from "./cidr.ts";
import type { SshCertificate } from "./ssh-cert.ts";
import { sshVerify } from "./ssh-signature.ts";

/** What a certificate is held against. */
export interface SshCertificateCheck {
  /** Wire forms of the authorities that are trusted for this purpose. */
  readonly caKeys: readonly Uint8Array[];
  /** ms since the epoch. */
  readonly now: number;
  readonly type: "user" | "host";
  /** Login or host name that has to be among the principals. */
  readonly principal?: string | undefined;
  /** IP address of the peer, for the option `source-address`. */
  readonly sourceAddress?: string | undefined;
}

/**
 * Checks a certificate as a server would: signed by a trusted authority, of the right type, valid now, for this principal, from this address.
 * A certificate without principals is refused, and so is any critical option but `source-address` on a user's.
 * Throws `unauthenticated` with the cause, `bad_parameter` for a signature that is no signature.
 */
export function verifySshCertificate(certificate: SshCertificate, check: SshCertificateCheck): void {
  const refuse = (problem: string): never => {
    throw new GatehouseError("unauthenticated", `the SSH certificate is refused: ${problem}`);
  };
  if (!check.caKeys.some((key) => certificate.signatureKey.equals(key))) refuse("its signing key is not a trusted authority");
  if (!sshVerify(certificate.signatureKey, certificate.signed, certificate.signature)) refuse("its signature is wrong or not of an accepted algorithm");
  if (certificate.type !== check.type) refuse(`it is a ${certificate.type} certificate where a ${check.type} certificate is needed`);
  const now = BigInt(Math.floor(check.now / 1000));
  if (now < certificate.validAfter) refuse("it is not valid yet");
  if (now >= certificate.validBefore) refuse("it has expired");
  if (certificate.principals.length === 0) refuse("it names no principal");
  // OpenSSH compares host names in lower case and logins as they are.
  const wanted = check.type === "host" ? check.principal?.toLowerCase() : check.principal;
  if (wanted !== undefined && !certificate.principals.includes(wanted)) refuse(`it is not for ${JSON.stringify(wanted)}`);
  for (const [name, value] of certificate.criticalOptions) {
    if (name !== "source-address" || certificate.type !== "user") refuse(`its critical option ${JSON.stringify(name)} is not supported`);
    if (!addressInRanges(value.split(","), check.sourceAddress)) refuse("it may not be used from this address");
  }
}
