import { expect, it } from "vitest";
import { parseResource } from "../resources/index.ts";
import { localAdmin, newPublicKey, newTerminal, openAuthWorld, origin } from "./testing/index.ts";
import type { Caller } from "./types.ts";

const connector = (team: string, secret?: string): Record<string, unknown> => ({
  kind: "oidc",
  version: "v3",
  metadata: { name: "corp", labels: { team } },
  spec: { issuer_url: "https://idp.example.com", client_id: "gatehouse", ...(secret === undefined ? {} : { client_secret: secret }), redirect_url: "https://gateway.example.com:3080/v1/webapi/oidc/callback", claims_to_roles: [{ claim: "groups", value: "dev", roles: ["own"] }] },
});

it("a connector's stored secret is not used for whoever may not change that connector", async () => {
  const world = await openAuthWorld();
  try {
    const where = 'equals(resource.metadata.labels["team"], "web")';
    await world.put({ kind: "role", version: "v3", metadata: { name: "own" }, spec: { allow: { rules: [{ resources: ["oidc"], verbs: ["create", "update"], where }] } } });
    await world.put({ kind: "user", version: "v2", metadata: { name: "helper" }, spec: { roles: ["own"] } });
    const login = await world.auth.admin.signUser(localAdmin, { name: "helper", publicKey: newPublicKey(), ttl: 3_600_000, compatibility: "", origin });
    const helper: Caller = { type: "person", identity: world.auth.gatekeeper.identify(world.certificate(login)) };
    const test = (given: Record<string, unknown>): Promise<unknown> => world.auth.admin.testConnector(helper, parseResource(given) as Parameters<typeof world.auth.admin.testConnector>[1], { clientRedirectUrl: newTerminal().clientRedirectUrl, origin });
    await world.put(connector("platform", "theirs"));
    await expect(test(connector("web"))).rejects.toMatchObject({ code: "access_denied" });
    await expect(test(connector("web", "guessed"))).rejects.toMatchObject({ code: "access_denied" });
    await world.put(connector("web", "ours"));
    await expect(test(connector("web"))).resolves.toMatchObject({ redirectUrl: expect.stringContaining("/v1/webapi/oidc/login/open?id=") as string });
  } finally {
    await world.close();
  }
});
