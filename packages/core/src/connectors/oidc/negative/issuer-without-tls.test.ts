import { expect, it } from "vitest";
import { GatehouseError, systemClock } from "../../../base/index.ts";
import type { OidcConnector } from "../../../resources/index.ts";
import { createOidcProvider } from "../provider.ts";

it("a provider without TLS is refused, but for this machine's own", async () => {
  const connector = (issuer: string) => ({ kind: "oidc", version: "v3", metadata: { name: "x" }, spec: { issuer_url: issuer } }) as unknown as OidcConnector;
  for (const issuer of ["http://idp.example", "http://127.0.0.1.evil.example", "ftp://127.0.0.1", "https://a:b@idp.example", "https://idp.example/?a", "https://idp.example/#a", "idp.example"]) {
    expect(() => createOidcProvider(connector(issuer), { clock: systemClock })).toThrow(GatehouseError);
  }
});
