import { expect, it } from "vitest";
import { GatehouseError } from "../../base/index.ts";
import { logIn, loginRequest, withIssuer } from "./testing/index.ts";

const logins = 1000;

it("a thousand logins in flight are all answered, over a few connections, with one reading of document and keys", { timeout: 120_000 }, async () => {
  await withIssuer({ timeouts: { request: 60_000, login: 90_000 } }, async (issuer, provider) => {
    const people = await Promise.all(Array.from({ length: logins }, () => logIn(provider, issuer)));
    expect(people).toHaveLength(logins);
    expect(new Set(people.map(({ name }) => name))).toEqual(new Set(["ana@example.com"]));
    expect(issuer.arrived).toMatchObject({ discovery: 1, keys: 1, token: logins, userinfo: logins });
    expect(issuer.mostConnections()).toBeLessThanOrEqual(32);
  });
});

it("a thousand logins in flight all hear of it where the provider hangs", { timeout: 120_000 }, async () => {
  await withIssuer({ timeouts: { request: 1_500, login: 6_000 }, script: { faults: { token: "hang" } } }, async (issuer, provider) => {
    const request = loginRequest();
    await provider.authorizeUrl(request);
    const outcomes = await Promise.allSettled(
      Array.from({ length: logins }, () => provider.authenticate({ ...request, parameters: { code: "code", state: request.state, iss: issuer.url } })),
    );
    const errors = outcomes.map((outcome) => (outcome.status === "rejected" ? (outcome.reason as unknown) : undefined));
    expect(errors.every((error) => error instanceof GatehouseError && /did not answer the token request within 1.5 s|took longer than 6 s/.test(error.message))).toBe(true);
    expect(issuer.mostConnections()).toBeLessThanOrEqual(64);
  });
});
