/** For tests alone: an OpenID provider on loopback that does as it is told, the forbidden things above all. */
import { createHash, createHmac, createPublicKey, generateKeyPairSync, randomBytes, sign, type KeyObject } from "node:crypto";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import type { OidcConnector } from "../../../resources/index.ts";

/** JSON. */
export type Json = Record<string, unknown>;

/** A part of the provider that can be made to fail. */
export type Route = "discovery" | "keys" | "token" | "userinfo" | "groups";

/** `hang` never answers, `garbage` is HTML, `redirect` points elsewhere, `huge` is more than anybody reads, `cut` ends the connection. */
export type Fault = "hang" | "500" | "404" | "garbage" | "redirect" | "huge" | "cut";

/** What it does other than a decent provider. Functions get what would be sent. */
export interface Script {
  readonly document?: (document: Json) => Json;
  readonly keys?: (keys: readonly Json[]) => readonly Json[];
  readonly header?: (header: Json) => Json;
  readonly claims?: (claims: Json) => Json;
  /** The finished ID token, and the key that the provider publishes. */
  readonly token?: (token: string, key: KeyObject) => string;
  readonly answer?: (answer: Json) => Json;
  readonly userinfo?: (claims: Json) => Json;
  readonly redirect?: (parameters: Readonly<Record<string, string>>) => Record<string, string>;
  readonly groups?: (page: string | undefined) => Json;
  readonly faults?: Partial<Record<Route, Fault>>;
}

/** The provider. */
export interface Issuer {
  readonly url: string;
  readonly clientId: string;
  /** What it is told to do; may be changed at any time. */
  script: Script;
  /** Claims of the person whom `authorize` lets in, beside those of the protocol. */
  person: Json;
  /** What arrived, by route. */
  readonly arrived: Record<Route, number>;
  /** Every form that the token endpoint got, and how the client said who it is. */
  readonly forms: { readonly fields: URLSearchParams; readonly authorization: string | undefined }[];
  /** Most connections at once so far. */
  readonly mostConnections: () => number;
  connector(spec?: Partial<OidcConnector["spec"]>): OidcConnector;
  /** What its login page does: from the address that the browser is sent to, to the parameters that it brings back. */
  authorize(url: string): Record<string, string>;
  /** From now on it signs by another key, and publishes that one alone. */
  rotate(): void;
  close(): Promise<void>;
}

interface Key {
  readonly id: string;
  readonly privateKey: KeyObject;
  readonly jwk: Json;
}

const routes = new Map<string, Route>([["/.well-known/openid-configuration", "discovery"], ["/keys", "keys"], ["/token", "token"], ["/me", "userinfo"], ["/groups", "groups"]]);

const encode = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString("base64url");

/** A P-256 key of a provider. */
export function createSigningKey(): Key {
  const { publicKey, privateKey } = generateKeyPairSync("ec", { namedCurve: "prime256v1" });
  const id = randomBytes(6).toString("hex");
  return { id, privateKey, jwk: { ...publicKey.export({ format: "jwk" }), kid: id, alg: "ES256", use: "sig" } };
}

/** A JWT by this key; `none` and HS256 as well. */
export function signToken(header: Json, claims: Json, key: KeyObject): string {
  const input = `${encode(header)}.${encode(claims)}`;
  if (header["alg"] === "none") return `${input}.`;
  if (header["alg"] === "HS256") {
    const secret = createPublicKey(key).export({ type: "spki", format: "pem" });
    return `${input}.${createHmac("sha256", secret).update(input).digest("base64url")}`;
  }
  return `${input}.${sign("sha256", Buffer.from(input), { key, dsaEncoding: "ieee-p1363" }).toString("base64url")}`;
}

async function readForm(request: IncomingMessage): Promise<URLSearchParams> {
  let body = "";
  for await (const chunk of request.setEncoding("utf8")) body += String(chunk);
  return new URLSearchParams(body);
}

/** Starts one on 127.0.0.1. `now` in ms. */
export async function startIssuer(now: () => number = Date.now): Promise<Issuer> {
  const clientId = "gatehouse";
  const clientSecret = "hush: hush & hush";
  const codes = new Map<string, { readonly challenge: string; readonly nonce: string; readonly redirect: string; readonly person: Json }>();
  const tokens = new Map<string, Json>();
  let key = createSigningKey();
  let open = 0;
  let most = 0;

  const json = (response: ServerResponse, status: number, value: unknown, headers: Record<string, string> = {}): void => {
    response.writeHead(status, { "content-type": "application/json", ...headers }).end(JSON.stringify(value));
  };

  function fail(fault: Fault, response: ServerResponse): void {
    if (fault === "hang") response.on("error", () => undefined);
    else if (fault === "cut") response.destroy();
    else if (fault === "garbage") response.writeHead(200, { "content-type": "text/html" }).end("<!DOCTYPE html><title>Down</title>");
    else if (fault === "redirect") response.writeHead(302, { location: `${issuer.url}/elsewhere` }).end();
    else if (fault === "huge") response.writeHead(200, { "content-type": "application/json" }).end(`{"a":"${" ".repeat(1024 * 1024)}"}`);
    else json(response, Number(fault), { message: "no" });
  }

  function grant(fields: URLSearchParams, authorization: string | undefined): { readonly status: number; readonly body: Json } {
    const code = codes.get(fields.get("code") ?? "");
    codes.delete(fields.get("code") ?? "");
    const [id, secret] = authorization ? (Buffer.from(authorization.slice(6), "base64").toString("utf8").split(":") as (string | undefined)[]) : [fields.get("client_id"), encodeURIComponent(fields.get("client_secret") ?? "")];
    if (id !== clientId || decodeURIComponent((secret ?? "").replaceAll("+", " ")) !== clientSecret) return { status: 401, body: { error: "invalid_client" } };
    const challenge = createHash("sha256").update(fields.get("code_verifier") ?? "").digest("base64url");
    if (!code || code.challenge !== challenge || code.redirect !== fields.get("redirect_uri")) return { status: 400, body: { error: "invalid_grant", error_description: "the code is not good" } };
    const accessToken = randomBytes(16).toString("base64url");
    const seconds = Math.floor(now() / 1000);
    const atHash = createHash("sha256").update(accessToken).digest().subarray(0, 16).toString("base64url");
    const claims = { iss: issuer.url, aud: clientId, iat: seconds, exp: seconds + 300, nonce: code.nonce, at_hash: atHash, ...code.person };
    tokens.set(accessToken, code.person);
    const { script } = issuer;
    const header = { alg: "ES256", kid: key.id };
    const token = signToken(script.header ? script.header(header) : header, script.claims ? script.claims(claims) : claims, key.privateKey);
    const body = { access_token: accessToken, token_type: "Bearer", expires_in: 300, id_token: script.token?.(token, key.privateKey) ?? token };
    return { status: 200, body: script.answer?.(body) ?? body };
  }

  /** What a route answers where it does not fail. */
  function ask(route: Exclude<Route, "token">, page: string | undefined, authorization: string | undefined): unknown {
    const { script } = issuer;
    const person = tokens.get(authorization?.replace(/^Bearer /, "") ?? "") ?? {};
    const document = {
      issuer: issuer.url,
      authorization_endpoint: `${issuer.url}/authorize`,
      token_endpoint: `${issuer.url}/token`,
      jwks_uri: `${issuer.url}/keys`,
      userinfo_endpoint: `${issuer.url}/me`,
      id_token_signing_alg_values_supported: ["ES256"],
      authorization_response_iss_parameter_supported: true,
    };
    switch (route) {
      case "discovery":
        return script.document?.(document) ?? document;
      case "keys":
        return { keys: script.keys?.([key.jwk]) ?? [key.jwk] };
      case "userinfo":
        return script.userinfo?.({ ...person }) ?? person;
      case "groups":
        return script.groups?.(page) ?? {};
    }
  }

  async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { pathname, searchParams } = new URL(request.url ?? "/", issuer.url);
    const route = routes.get(pathname);
    const fields = await readForm(request);
    if (route) issuer.arrived[route] += 1;
    const fault = route ? issuer.script.faults?.[route] : "404";
    if (!route || fault) fail(fault ?? "404", response);
    else if (route !== "token") json(response, 200, ask(route, searchParams.get("pageToken") ?? undefined, request.headers.authorization));
    else {
      issuer.forms.push({ fields, authorization: request.headers.authorization });
      const { status, body } = grant(fields, request.headers.authorization);
      json(response, status, body);
    }
  }

  const server = createServer((request, response) => {
    answer(request, response).catch(() => response.destroy());
  });
  server.on("connection", (socket) => {
    open += 1;
    most = Math.max(most, open);
    socket.on("close", () => (open -= 1));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));

  const issuer: Issuer = {
    url: `http://127.0.0.1:${String((server.address() as AddressInfo).port)}`,
    clientId,
    script: {},
    person: { sub: "ana-1", email: "ana@example.com", email_verified: true, groups: ["dev", "ops"] },
    arrived: { discovery: 0, keys: 0, token: 0, userinfo: 0, groups: 0 },
    forms: [],
    mostConnections: () => most,
    connector: (spec = {}) => ({
      kind: "oidc",
      version: "v3",
      metadata: { name: "corp" },
      spec: {
        issuer_url: issuer.url,
        client_id: clientId,
        client_secret: clientSecret,
        redirect_url: ["https://gateway.example/v1/webapi/oidc/callback"],
        display: "",
        prompt: "select_account",
        scope: [],
        claims_to_roles: [{ claim: "groups", value: "dev", roles: ["access"] }],
        ...spec,
      },
    }),
    authorize(url) {
      const query = new URL(url).searchParams;
      const code = randomBytes(12).toString("hex");
      codes.set(code, { challenge: query.get("code_challenge") ?? "", nonce: query.get("nonce") ?? "", redirect: query.get("redirect_uri") ?? "", person: issuer.person });
      const parameters = { code, state: query.get("state") ?? "", iss: issuer.url };
      return issuer.script.redirect?.(parameters) ?? parameters;
    },
    rotate() {
      key = createSigningKey();
    },
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
  return issuer;
}
