import { GatehouseError } from "../base/index.ts";
import type { Connector } from "../resources/index.ts";

const loopback = new Set(["127.0.0.1", "[::1]", "localhost"]);

/** Whether the address is on this machine. */
export function isLoopback(url: URL): boolean {
  return loopback.has(url.hostname);
}

/** An address of a connector. Throws `bad_parameter` for one that a secret must not be sent to. */
export function parseAddress(connector: string, field: string, text: string): URL {
  const fail = (problem: string): GatehouseError => new GatehouseError("bad_parameter", `connector "${connector}": ${field} ${problem}`);
  if (!URL.canParse(text)) throw fail("is not an address");
  const url = new URL(text);
  if (url.protocol !== "https:" && !(url.protocol === "http:" && isLoopback(url))) throw fail("must begin with https:// (http:// only on this machine itself)");
  if (url.username !== "" || url.password !== "") throw fail("must not hold a user name or a password");
  if (url.hash !== "") throw fail("must not have a fragment");
  return url;
}

/**
 * The connector's callback address on the gateway, as it is written there: of several the one whose host is `host` (`name:port`, as the caller came by),
 * else the first. Throws `bad_parameter`.
 */
export function callbackUrl(connector: Connector, host?: string): string {
  const { name } = connector.metadata;
  switch (connector.kind) {
    case "github":
      return parseAddress(name, "redirect_url", connector.spec.redirect_url).href;
    case "saml":
      return parseAddress(name, "acs", connector.spec.acs).href;
    case "oidc": {
      const urls = connector.spec.redirect_url.map((url) => parseAddress(name, "redirect_url", url));
      const chosen = urls.find((url) => url.host === host) ?? urls[0];
      if (!chosen) throw new GatehouseError("bad_parameter", `connector "${name}": redirect_url is missing`);
      return chosen.href;
    }
  }
}
