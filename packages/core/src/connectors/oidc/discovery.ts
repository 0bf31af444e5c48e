import { z } from "zod";
import { GatehouseError } from "../../base/index.ts";
import type { OidcConnector } from "../../resources/index.ts";
import { parseAddress } from "../addresses.ts";
import { discoveryUrl, isSafeAddress } from "../discovery.ts";
import { quote } from "../quote.ts";
import type { ProviderHttp } from "../http.ts";

const words = z.array(z.string().max(256)).max(100).optional();

/** What a login needs of OpenID Connect Discovery 1.0 §3 and RFC 9207 §3. */
const document = z.object({
  issuer: z.string().max(2048),
  authorization_endpoint: z.string().max(2048),
  token_endpoint: z.string().max(2048),
  jwks_uri: z.string().max(2048),
  userinfo_endpoint: z.string().max(2048).optional(),
  token_endpoint_auth_methods_supported: words,
  id_token_signing_alg_values_supported: words,
  authorization_response_iss_parameter_supported: z.boolean().optional(),
});

/** A provider as it describes itself. */
export type ProviderMetadata = z.infer<typeof document>;

/** Whether the issuer is one without TLS, on this machine: what tests have. */
export function isPlainIssuer(connector: OidcConnector): boolean {
  return new URL(connector.spec.issuer_url).protocol === "http:";
}

/** Checks the address of an issuer. Throws `bad_parameter`. */
export function checkIssuer({ metadata: { name }, spec }: OidcConnector): void {
  const url = parseAddress(name, "issuer_url", spec.issuer_url);
  if (url.search !== "") throw new GatehouseError("bad_parameter", `connector "${name}": issuer_url must not have a query`);
}

/**
 * Reads a provider's discovery document. Throws `internal` where there is none, where it describes another issuer, or where it names an address that a
 * secret must not be sent to.
 */
export async function discover(connector: OidcConnector, http: ProviderHttp, who: string): Promise<ProviderMetadata> {
  const { issuer_url: issuer } = connector.spec;
  const metadata = await http.json({ what: "the request for its discovery document", url: discoveryUrl(issuer), headers: { accept: "application/json" } }, document);
  if (metadata.issuer !== issuer) {
    throw new GatehouseError("internal", `${who} calls itself ${quote(metadata.issuer)}, not ${quote(issuer)}`, {
      hint: `an administrator writes issuer_url of connector "${connector.metadata.name}" exactly as the provider's discovery document has it, if that is the right provider`,
    });
  }
  const plain = isPlainIssuer(connector);
  for (const field of ["authorization_endpoint", "token_endpoint", "jwks_uri", "userinfo_endpoint"] as const) {
    const address = metadata[field];
    if (address !== undefined && !isSafeAddress(address, plain)) {
      throw new GatehouseError("internal", `${who} names a ${field} that is refused: ${quote(address)}`, { hint: "addresses must begin with https://" });
    }
  }
  return metadata;
}
