import type { Connector } from "../resources/index.ts";
import { createGithubProvider } from "./github/client.ts";
import type { Provider, ProviderOptions } from "./types.ts";

/** The identity provider of a connector. Libraries are loaded when the first connector needs them. Throws `bad_parameter` for a connector that cannot work. */
export async function openProvider(connector: Connector, options: ProviderOptions): Promise<Provider> {
  switch (connector.kind) {
    case "github":
      return createGithubProvider(connector, options);
    case "oidc":
      return (await import("./oidc/provider.ts")).createOidcProvider(connector, options);
    case "saml":
      return (await import("./saml/provider.ts")).createSamlProvider(connector, options);
  }
}
