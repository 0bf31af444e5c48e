import { expect, it } from "vitest";
import { refused } from "../testing/index.ts";

it("userinfo says nothing of how the person was authenticated", async () => {
  const said = await refused({ userinfo: (claims) => ({ ...claims, acr: "phr" }) }, { spec: { acr_values: "phr" } });
  expect(said).toContain("access_denied: ");
  expect(said).toContain("says nothing of how (acr)");
});
