import { expect, it } from "vitest";
import { refused } from "../testing/index.ts";

it("a login that does not say how the person was authenticated is refused where that is demanded", async () => {
  const said = await refused({}, { spec: { acr_values: "phr" } });
  expect(said).toContain("access_denied: ");
  expect(said).toContain("says nothing of how (acr)");
});
