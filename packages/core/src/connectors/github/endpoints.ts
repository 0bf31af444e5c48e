import { GatehouseError } from "../../base/index.ts";
import type { GithubConnector } from "../../resources/index.ts";

/** Addresses of one GitHub; paths end without a slash. */
export interface GithubEndpoints {
  readonly web: URL;
  readonly api: URL;
}

const loopback = new Set(["127.0.0.1", "[::1]", "localhost"]);

/** Whether the address is on this machine. */
export function isLoopback(url: URL): boolean {
  return loopback.has(url.hostname);
}

function parseAddress(connector: string, field: string, text: string): URL {
  const fail = (problem: string): GatehouseError => new GatehouseError("bad_parameter", `connector "${connector}": ${field} ${problem}`);
  if (!URL.canParse(text)) throw fail("is not an address");
  const url = new URL(text);
  if (url.protocol !== "https:" && !(url.protocol === "http:" && isLoopback(url))) throw fail("must begin with https:// (http:// only on this machine itself)");
  if (url.username !== "" || url.password !== "") throw fail("must not hold a user name or a password");
  if (url.hash !== "") throw fail("must not have a fragment");
  return url;
}

function parseBase(connector: string, field: string, text: string): URL {
  const url = parseAddress(connector, field, text);
  if (url.search !== "") throw new GatehouseError("bad_parameter", `connector "${connector}": ${field} must not have a query`);
  url.pathname = url.pathname.replace(/\/+$/, "");
  return url;
}

/** Where a connector's GitHub is. Throws `bad_parameter` for an address that a secret must not be sent to. */
export function githubEndpoints(connector: GithubConnector): GithubEndpoints {
  const { name } = connector.metadata;
  return {
    web: parseBase(name, "endpoint_url", connector.spec.endpoint_url ?? "https://github.com"),
    api: parseBase(name, "api_endpoint_url", connector.spec.api_endpoint_url ?? "https://api.github.com"),
  };
}

/** The connector's callback address on the gateway. Throws `bad_parameter`. */
export function callbackUrl(connector: GithubConnector): URL {
  return parseAddress(connector.metadata.name, "redirect_url", connector.spec.redirect_url);
}

/** An address below a base. */
export function below(base: URL, path: string): URL {
  return new URL(`${base.pathname === "/" ? "" : base.pathname}${path}`, base);
}
