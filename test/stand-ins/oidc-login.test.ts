import { afterEach, beforeEach, expect, it } from "vitest";
import { newTerminal, openAuthWorld, type AuthWorld, type Terminal } from "@gatehouse/core/auth/testing";
import { startIssuer, type Issuer } from "@gatehouse/core/connectors/oidc/testing";
import { resourceToJson } from "@gatehouse/core/resources";

/** The whole of a login through an OpenID provider, between a terminal, a browser and the auth service. */
let world: AuthWorld;
let issuer: Issuer;

beforeEach(async () => {
  world = await openAuthWorld({ providerTimeouts: { request: 20_000, login: 60_000 } });
  issuer = await startIssuer(() => world.clock.now());
  await world.put({ kind: "role", version: "v3", metadata: { name: "access" }, spec: { allow: { logins: ["ana"] } } });
  await world.put(resourceToJson(issuer.connector()));
});
afterEach(async () => {
  await world.close();
  await issuer.close();
});

async function begin(terminal: Terminal, address: string): Promise<string> {
  const { redirectUrl } = await world.auth.logins.startSso({
    kind: "oidc",
    connectorId: "corp",
    clientRedirectUrl: terminal.clientRedirectUrl,
    publicKey: terminal.publicKey,
    ttl: 3_600_000,
    compatibility: "",
    origin: { remoteAddress: address },
  });
  return new URL(redirectUrl).searchParams.get("id")!;
}

interface Browsed {
  readonly terminal: Terminal;
  readonly parameters: Record<string, string>;
  readonly cookies: Record<string, string>;
  readonly origin: { readonly remoteAddress: string };
}

async function browse(address: string, person: Record<string, unknown> = issuer.person): Promise<Browsed> {
  const terminal = newTerminal();
  const origin = { remoteAddress: address };
  const { cookie, location } = await world.auth.logins.openSso(await begin(terminal, address), origin);
  issuer.person = person;
  return { terminal, parameters: issuer.authorize(location), cookies: { [cookie!.name]: cookie!.value }, origin };
}

it("ends with certificates in the terminal, once", async () => {
  const { terminal, ...back } = await browse("127.0.0.1:50000");
  const { location } = await world.auth.logins.finishSso({ kind: "oidc", ...back });
  expect(world.certificate(terminal.read(location).response!)).toMatchObject({ username: "ana@example.com", roles: ["access"] });
  await expect(world.auth.logins.finishSso({ kind: "oidc", ...back })).rejects.toMatchObject({ code: "access_denied" });
});

it("ends at once in the terminal where the provider cannot be asked where to go", async () => {
  issuer.script = { faults: { discovery: "500" } };
  const terminal = newTerminal();
  const loginId = await begin(terminal, "127.0.0.1:50000");
  const { cookie, location } = await world.auth.logins.openSso(loginId, { remoteAddress: "127.0.0.1:50000" });
  expect(cookie).toBeUndefined();
  expect(terminal.read(location).error).toMatchObject({ code: "internal", message: 'the provider of connector "corp" answered 500 to the request for its discovery document' });
  expect(world.audit.last("user.login")).toMatchObject({ success: false, method: "oidc", connector: "corp" });
  // The link is used up, and the provider that is back serves the next login.
  await expect(world.auth.logins.openSso(loginId, { remoteAddress: "127.0.0.1:50000" })).rejects.toMatchObject({ code: "access_denied" });
  issuer.script = {};
  expect((await browse("127.0.0.1:50001")).parameters["code"]).toBeDefined();
});

it("keeps a login of somebody else's browser out of a provider's trouble", async () => {
  const terminal = newTerminal();
  const loginId = await begin(terminal, "127.0.0.1:50000");
  await world.auth.logins.openSso(loginId, { remoteAddress: "127.0.0.1:50000" });
  issuer.script = { faults: { discovery: "500" } };
  world.clock.advance(150_000);
  await expect(world.auth.logins.openSso(loginId, { remoteAddress: "10.0.0.9:1" })).rejects.toMatchObject({ code: "access_denied" });
});

it("answers a thousand logins in flight, and keeps nothing of them", { timeout: 180_000 }, async () => {
  const count = 1000;
  const person = (index: number) => ({ sub: `sub-${String(index)}`, email: `p${String(index)}@example.com`, email_verified: true, groups: ["dev"] });
  const underWay = await Promise.all(Array.from({ length: count }, (_, index) => browse(`10.0.${String(index % 50)}.1:${String(1024 + index)}`, person(index))));
  expect(await world.store.list("sso_request")).toHaveLength(count);
  const ends = await Promise.all(underWay.map(async ({ terminal, ...back }) => terminal.read((await world.auth.logins.finishSso({ kind: "oidc", ...back })).location)));
  const refusals = ends.flatMap(({ error }) => (error ? [error.message] : []));
  expect(ends.filter(({ response, error }) => response !== undefined || error !== undefined)).toHaveLength(count);
  expect([...new Set(refusals)]).toEqual([]);
  expect(await world.store.list("sso_request")).toEqual([]);
  expect(issuer.arrived).toMatchObject({ discovery: 1, keys: 1, token: count });
  expect(issuer.mostConnections()).toBeLessThanOrEqual(32);
});
