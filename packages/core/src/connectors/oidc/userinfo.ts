import { z } from "zod";
import { GatehouseError } from "../../base/index.ts";
import type { OidcConnector } from "../../resources/index.ts";
import { quote } from "../quote.ts";
import type { ProviderHttp } from "../http.ts";
import type { ProviderMetadata } from "./discovery.ts";
import type { Claims } from "./id-token.ts";
import type { ProviderKeys } from "./keys.ts";
import { badToken } from "./problems.ts";

const object = z.record(z.string(), z.unknown());

/** What userinfo is asked with, and about whom. */
export interface UserinfoRequest {
  readonly connector: OidcConnector;
  readonly metadata: ProviderMetadata;
  readonly http: ProviderHttp;
  readonly keys: ProviderKeys;
  readonly who: string;
  readonly accessToken: string;
  /** `sub` of the ID token. */
  readonly subject: string;
  readonly deadline: AbortSignal;
}

/**
 * Asks userinfo (OpenID Connect Core §5.3), as JSON or as a signed token; undefined where there is none. AD FS has one that knows `sub` alone and refuses tokens of
 * applications with resources of their own: it is not asked. Throws `access_denied` for another person's answer, `internal` where there is no usable one.
 */
export async function readUserinfo(request: UserinfoRequest): Promise<Claims | undefined> {
  const { connector, metadata, http, who, accessToken, subject, deadline } = request;
  const url = metadata.userinfo_endpoint;
  if (url === undefined || connector.spec.provider === "adfs") return undefined;
  const what = "the userinfo request";
  const answer = await http.send({ what, url, headers: { accept: "application/json", authorization: `Bearer ${accessToken}` } }, deadline);
  if (answer.status !== 200) throw new GatehouseError("internal", `${who} answered ${String(answer.status)} to ${what}`, { hint: "an administrator checks what scopes the application has at the provider" });
  const { "content-type": type } = answer.headers;
  const text = answer.body.toString("utf8");
  const isToken = typeof type === "string" && /^application\/jwt\s*(?:;|$)/i.test(type);
  const claims = isToken ? await readSigned(request, text) : readJson(text);
  if (!claims) throw new GatehouseError("internal", `${who} answered ${what} with something that is not JSON`);
  if (claims["sub"] !== subject) {
    throw new GatehouseError("access_denied", `${who} answered ${what} about another person (sub ${quote(String(claims["sub"]))}) than the one who logged in`, { hint: "log in again; if it stays so, an administrator looks at the provider" });
  }
  return claims;
}

async function readSigned({ connector, metadata, keys, who }: UserinfoRequest, token: string): Promise<Claims> {
  const claims: Claims = await keys.verify(token);
  const { iss, aud } = claims;
  if (iss !== undefined && iss !== metadata.issuer) throw badToken(who, "is from another issuer, as userinfo");
  if (aud !== undefined && ![aud].flat().includes(connector.spec.client_id)) throw badToken(who, "is for another application, as userinfo");
  return claims;
}

function readJson(text: string): Claims | undefined {
  try {
    return object.parse(JSON.parse(text));
  } catch {
    return undefined;
  }
}
