import { expect, it } from "vitest";
import { refused } from "../testing/index.ts";

it("an ID token of another login is refused", async () => {
  const said = await refused({ claims: (claims) => ({ ...claims, nonce: "of-another-login" }) });
  expect(said).toContain("access_denied: ");
  expect(said).toContain("is for another login (nonce)");
});
