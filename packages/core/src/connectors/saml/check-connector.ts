import { X509Certificate } from "node:crypto";
import { GatehouseError } from "../../base/index.ts";
import type { SamlConnector } from "../../resources/index.ts";
import { certificatesOf, describedProvider, unusable, usableCertificates } from "./identity-provider.ts";
import { parseMetadata } from "./metadata.ts";

/**
 * Whether a connector can work, as far as that can be told without asking its provider: its metadata and certificates are read, and its own keys are RSA,
 * as SAML's algorithms are. Throws `bad_parameter`, naming the connector.
 */
export function checkSamlConnector(connector: SamlConnector): void {
  const { spec, metadata } = connector;
  try {
    if (spec.entity_descriptor !== undefined) describedProvider(connector, parseMetadata(spec.entity_descriptor, spec.issuer));
    else if (spec.entity_descriptor_url === undefined) describedProvider(connector, undefined);
    else if (spec.cert !== undefined) usableCertificates(certificatesOf(spec.cert));
    for (const field of ["signing_key_pair", "assertion_key_pair"] as const) {
      const pair = spec[field];
      if (pair && new X509Certificate(pair.cert).publicKey.asymmetricKeyType !== "rsa") throw unusable(`${field} is not of an RSA key`);
    }
  } catch (error) {
    if (!(error instanceof GatehouseError)) throw error;
    throw new GatehouseError("bad_parameter", `connector "${metadata.name}": ${error.message}`, { hint: error.hint, cause: error });
  }
}
