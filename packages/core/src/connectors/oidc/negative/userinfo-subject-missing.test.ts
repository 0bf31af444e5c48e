import { expect, it } from "vitest";
import { refused } from "../testing/index.ts";

it("userinfo about nobody is refused", async () => {
  const said = await refused({ userinfo: (claims) => ({ ...claims, sub: undefined }) });
  expect(said).toContain("access_denied: ");
  expect(said).toContain("about another person");
});
