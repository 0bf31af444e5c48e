import { expect, it } from "vitest";
import { refused } from "../testing/index.ts";

it("a login with a weaker authentication than demanded is refused", async () => {
  const said = await refused({ claims: (claims) => ({ ...claims, acr: "pwd" }) }, { spec: { acr_values: "phr" } });
  expect(said).toContain("access_denied: ");
  expect(said).toContain("says acr pwd");
});
