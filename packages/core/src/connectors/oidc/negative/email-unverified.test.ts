import { expect, it } from "vitest";
import { refused } from "../testing/index.ts";

it("an address that is not verified names nobody", async () => {
  const said = await refused({}, { person: { sub: "x", email: "ceo@example.com", email_verified: false, groups: ["dev"] } });
  expect(said).toContain("access_denied: ");
  expect(said).toContain("says that the address is not verified");
});
