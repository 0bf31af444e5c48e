import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { SignJWT, exportJWK, generateKeyPair, type CryptoKey, type JWK } from "jose";

/** An issuer of JWTs for jobs, as GitHub Actions, GitLab and Kubernetes are: discovery, keys, and (GitHub's) a place where a job asks for its own JWT. */
export interface Issuer {
  readonly url: string;
  /** A JWT of this issuer, for five minutes; what is given replaces claims or leaves them out (undefined). */
  sign(claims: Readonly<Record<string, unknown>>, header?: Readonly<Record<string, unknown>>): Promise<string>;
  /** Signs with another key from now on; the old one is published no more. */
  rotate(): Promise<void>;
  /** `ACTIONS_ID_TOKEN_REQUEST_URL` and `ACTIONS_ID_TOKEN_REQUEST_TOKEN` of a job with these claims. */
  job(claims: Readonly<Record<string, unknown>>): { readonly ACTIONS_ID_TOKEN_REQUEST_URL: string; readonly ACTIONS_ID_TOKEN_REQUEST_TOKEN: string };
  /** How often keys were asked for. */
  readonly asked: number;
  /** What it does in the place of its answers. */
  failure: "none" | "error" | "silent" | "huge" | "not-json" | "other-issuer" | "redirect";
  readonly jwks: () => { readonly keys: readonly JWK[] };
  close(): Promise<void>;
}

interface SigningKey {
  readonly kid: string;
  readonly privateKey: CryptoKey;
  readonly jwk: JWK;
}

async function makeKey(kid: string): Promise<SigningKey> {
  const { privateKey, publicKey } = await generateKeyPair("RS256");
  return { kid, privateKey, jwk: { ...(await exportJWK(publicKey)), kid, use: "sig", alg: "RS256" } };
}

/** Starts one on this machine's loopback address. `now` in ms since the epoch. */
export async function startIssuer(options: { readonly now?: () => number; readonly path?: string } = {}): Promise<Issuer> {
  const { now = Date.now, path = "" } = options;
  let count = 1;
  let serial = 0;
  let key = await makeKey("key-1");
  let asked = 0;
  const jobs = new Map<string, Readonly<Record<string, unknown>>>();

  const send = (response: ServerResponse, status: number, body: unknown): void => void response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(body));

  async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = new URL(request.url ?? "/", issuer.url);
    if (request.method !== "GET") return send(response, 405, { message: "GET alone" });
    if (url.pathname === "/job") {
      const claims = jobs.get(request.headers.authorization?.replace(/^bearer /i, "") ?? "");
      const audience = url.searchParams.get("audience");
      // As GitHub: without the job's own token there is nothing, and the audience is what was asked for.
      if (!claims) return send(response, 401, { message: "Bad credentials" });
      return send(response, 200, { count: 1, value: await issuer.sign({ ...claims, aud: audience ?? "https://github.com/acme" }) });
    }
    const failure: string = issuer.failure;
    if (failure === "silent") return;
    if (failure === "error") return send(response, 503, { message: "down" });
    if (failure === "redirect") return void response.writeHead(302, { location: `${issuer.url}/elsewhere` }).end();
    if (failure === "not-json") return void response.end("<html>");
    if (failure === "huge") return void response.end(JSON.stringify({ keys: [], padding: "x".repeat(1024 * 1024) }));
    if (url.pathname === `${path}/.well-known/openid-configuration`) {
      return send(response, 200, { issuer: failure === "other-issuer" ? "https://elsewhere.example.com" : issuer.url, jwks_uri: `${issuer.url}/keys` });
    }
    if (url.pathname === `${path}/keys`) {
      asked += 1;
      return send(response, 200, issuer.jwks());
    }
    return send(response, 404, { message: "Not Found" });
  }

  const server = createServer((request, response) => {
    answer(request, response).catch(() => response.destroy());
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;

  const issuer: Issuer = {
    url: `${origin}${path}`,
    failure: "none",
    get asked() {
      return asked;
    },
    jwks: () => ({ keys: [key.jwk] }),
    sign(claims, header = {}) {
      const seconds = Math.floor(now() / 1000);
      const all = { iss: issuer.url, iat: seconds, nbf: seconds - 10, exp: seconds + 300, jti: `job-${String(++serial)}`, ...claims };
      const present = Object.fromEntries(Object.entries(all as Readonly<Record<string, unknown>>).filter(([, value]) => value !== undefined));
      return new SignJWT(present).setProtectedHeader({ alg: "RS256", typ: "JWT", kid: key.kid, ...header }).sign(key.privateKey);
    },
    async rotate() {
      key = await makeKey(`key-${String(++count)}`);
    },
    job(claims) {
      const token = `job-token-${String(jobs.size + 1)}-${Math.random().toString(36).slice(2)}`;
      jobs.set(token, claims);
      return { ACTIONS_ID_TOKEN_REQUEST_URL: `${origin}/job?api-version=2.0`, ACTIONS_ID_TOKEN_REQUEST_TOKEN: token };
    },
    close: () =>
      new Promise((resolve) => {
        server.closeAllConnections();
        server.close(() => resolve());
      }),
  };
  return issuer;
}
