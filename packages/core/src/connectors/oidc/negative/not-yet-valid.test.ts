import { expect, it } from "vitest";
import { refused } from "../testing/index.ts";

it("an ID token that is not valid yet is refused", async () => {
  const said = await refused({ claims: (claims) => ({ ...claims, nbf: Math.floor(Date.now() / 1000) + 120 }) });
  expect(said).toContain("access_denied: ");
  expect(said).toContain("is not valid yet (nbf)");
});
