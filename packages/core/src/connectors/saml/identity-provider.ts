import { X509Certificate } from "node:crypto";
import { GatehouseError } from "../../base/index.ts";
import { encodeCertificatePem } from "../../formats/index.ts";
import type { SamlConnector } from "../../resources/index.ts";
import { isLoopback } from "../addresses.ts";
import { quote } from "../quote.ts";

const minKeyBits = 2048;
const maxCertificates = 16;

/** A provider as its metadata, or the connector itself, describes it. */
export interface IdentityProvider {
  readonly entityId: string;
  /** Where requests go, by HTTP-Redirect. */
  readonly sso: string;
  /** PEM, at least one; each RSA of at least 2048 bits. Their dates mean nothing (SAML metadata interoperability profile §2.6.1). */
  readonly certificates: readonly string[];
  /** ms since the epoch; undefined for ever. */
  readonly validUntil?: number | undefined;
  /** How long it may be kept, ms. */
  readonly cacheDuration?: number | undefined;
}

/** A fault of the metadata or of the connector. */
export function unusable(problem: string, hint?: string, cause?: unknown): GatehouseError {
  return new GatehouseError("bad_parameter", problem, { hint, cause });
}

/** An address that a browser may be sent to. Throws `bad_parameter`. */
export function checkSso(location: string): string {
  const url = URL.canParse(location) && location.length <= 2048 ? new URL(location) : undefined;
  const sound = url && (url.protocol === "https:" || (url.protocol === "http:" && isLoopback(url))) && url.username === "" && url.password === "";
  if (!sound) throw unusable(`the provider's address for requests is ${quote(location)}, and must begin with https:// (http:// is for this machine alone)`);
  return location;
}

/** Certificates whose keys can be verified with, each once. Throws `bad_parameter` where there is none, and for what is no certificate. */
export function usableCertificates(ders: readonly Uint8Array[]): readonly string[] {
  if (ders.length > maxCertificates) throw unusable(`the provider has more than ${maxCertificates} certificates`);
  const problems = new Set<string>();
  const usable = new Set<string>();
  for (const der of ders) {
    const certificate = readCertificate(der);
    const { asymmetricKeyType: type, asymmetricKeyDetails: details } = certificate.publicKey;
    if (type !== "rsa") problems.add(`a key of type ${type ?? "unknown"}`);
    else if ((details?.modulusLength ?? 0) < minKeyBits) problems.add(`an RSA key of ${details?.modulusLength ?? 0} bits`);
    else usable.add(encodeCertificatePem(certificate.raw));
  }
  if (usable.size === 0) throw unusable(`the provider has no certificate that can be used${problems.size > 0 ? `: it has ${[...problems].join(" and ")}` : ""}`, "it needs a signing certificate with an RSA key of at least 2048 bits");
  return [...usable];
}

function readCertificate(der: Uint8Array): X509Certificate {
  try {
    return new X509Certificate(der);
  } catch (error) {
    throw unusable("the provider has a certificate that is malformed", undefined, error);
  }
}

/** DER of the PEM blocks in a text. Throws `bad_parameter` where there is none. */
export function certificatesOf(pem: string): readonly Buffer[] {
  const blocks = [...pem.matchAll(/-----BEGIN CERTIFICATE-----([A-Za-z0-9+/=\s]{1,90000})-----END CERTIFICATE-----/g)];
  if (blocks.length === 0) throw unusable("cert holds no certificate", "it is PEM: -----BEGIN CERTIFICATE-----, …");
  return blocks.map(([, body]) => Buffer.from((body ?? "").replaceAll(/\s/g, ""), "base64"));
}

/** What the connector says of its provider by itself, over what metadata says. Throws `bad_parameter`. */
export function describedProvider({ spec }: SamlConnector, metadata: IdentityProvider | undefined): IdentityProvider {
  const own = spec.cert === undefined ? [] : usableCertificates(certificatesOf(spec.cert));
  const entityId = metadata?.entityId ?? spec.issuer;
  const sso = spec.sso ?? metadata?.sso;
  if (entityId === undefined || sso === undefined) throw unusable("the provider is not described", "give entity_descriptor_url or entity_descriptor, or issuer, sso and cert");
  const certificates = [...new Set([...(metadata?.certificates ?? []), ...own])];
  if (certificates.length === 0) throw unusable("the provider has no certificate", "give cert");
  return { ...metadata, entityId, sso: checkSso(sso), certificates };
}
