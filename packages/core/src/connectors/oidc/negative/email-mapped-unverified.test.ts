import { expect, it } from "vitest";
import { attempt } from "../testing/index.ts";

it("an address that is not verified gives no role and becomes no trait", async () => {
  const spec = { username_claim: "login", claims_to_roles: [{ claim: "email", value: "*@example.com", roles: ["access"] }] };
  const { mapping } = await attempt({}, { spec, person: { sub: "x", login: "mallory", email: "ceo@example.com" } });
  expect(mapping.roles).toEqual([]);
  expect(mapping.traits).not.toHaveProperty("email");
  expect(mapping.problem).toMatchObject({ code: "access_denied", hint: expect.stringContaining("not verified, so it does not count") as string });
});
