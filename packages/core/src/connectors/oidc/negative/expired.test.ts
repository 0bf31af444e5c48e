import { expect, it } from "vitest";
import { refused } from "../testing/index.ts";

it("an ID token that has expired is refused", async () => {
  const said = await refused({ claims: (claims) => ({ ...claims, exp: Math.floor(Date.now() / 1000) - 61 }) });
  expect(said).toContain("access_denied: ");
  expect(said).toContain("has expired");
});
