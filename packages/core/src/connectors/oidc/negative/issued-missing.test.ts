import { expect, it } from "vitest";
import { refused } from "../testing/index.ts";

it("an ID token that does not say when it was issued is refused", async () => {
  const said = await refused({ claims: (claims) => ({ ...claims, iat: undefined }) });
  expect(said).toContain("access_denied: ");
  expect(said).toContain("claim missing");
});
