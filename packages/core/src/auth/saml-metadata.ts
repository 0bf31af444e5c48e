import { samlServiceMetadata } from "../connectors/index.ts";
import type { Context } from "./context.ts";
import type { Logins } from "./types.ts";

/** This gateway's metadata for the provider of a SAML connector. */
export function createSamlMetadata(context: Context): Pick<Logins, "samlMetadata"> {
  return {
    async samlMetadata(name) {
      const { connector } = await context.providers.find("saml", name);
      if (connector.kind !== "saml") throw new TypeError("a saml connector is of kind saml");
      return samlServiceMetadata(connector);
    },
  };
}
