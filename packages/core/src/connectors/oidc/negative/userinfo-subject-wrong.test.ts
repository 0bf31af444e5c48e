import { expect, it } from "vitest";
import { refused } from "../testing/index.ts";

it("userinfo about another person is refused", async () => {
  const said = await refused({ userinfo: (claims) => ({ ...claims, sub: "bo-2" }) });
  expect(said).toContain("access_denied: ");
  expect(said).toContain("about another person (sub bo-2)");
});
