import type { AuthService } from "../../auth/index.ts";
import type { Clock } from "../../base/index.ts";
import type { LoginSettings } from "../web/index.ts";

/** Pings come from anybody, so the store is asked at most this often (ms). */
const freshFor = 1000;

/** How people log in, read from the store with the rights of the gateway itself and remembered for a second. */
export function createLoginSettings(auth: AuthService, clock: Clock): () => Promise<LoginSettings> {
  let known: { readonly at: number; readonly settings: Promise<LoginSettings> } | undefined;

  async function read(): Promise<LoginSettings> {
    const caller = { type: "local-admin" } as const;
    const withSecrets = { withSecrets: false };
    const [preferences, connectors] = await Promise.all([
      auth.admin.get(caller, { kind: "cluster_auth_preference" }, withSecrets),
      auth.admin.get(caller, { kind: "connectors" }, withSecrets),
    ]);
    const preference = preferences.map(({ resource }) => resource).find((resource) => resource.kind === "cluster_auth_preference");
    return {
      type: preference?.spec.type ?? "local",
      secondFactor: preference?.spec.second_factor ?? "off",
      connectorName: preference?.spec.connector_name,
      connectors: connectors.flatMap(({ resource }) =>
        resource.kind === "github" || resource.kind === "oidc" || resource.kind === "saml" ? [{ kind: resource.kind, name: resource.metadata.name, display: resource.spec.display }] : [],
      ),
    };
  }

  return () => {
    const now = clock.now();
    if (known && now - known.at < freshFor && now >= known.at) return known.settings;
    const settings = read();
    const mine = { at: now, settings };
    known = mine;
    settings.catch(() => {
      if (known === mine) known = undefined;
    });
    return settings;
  };
}
