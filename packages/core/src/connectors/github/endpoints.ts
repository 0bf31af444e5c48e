import { GatehouseError } from "../../base/index.ts";
import type { GithubConnector } from "../../resources/index.ts";
import { parseAddress } from "../addresses.ts";

/** Addresses of one GitHub; paths end without a slash. */
export interface GithubEndpoints {
  readonly web: URL;
  readonly api: URL;
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

/** An address below a base. */
export function below(base: URL, path: string): URL {
  return new URL(`${base.pathname === "/" ? "" : base.pathname}${path}`, base);
}
