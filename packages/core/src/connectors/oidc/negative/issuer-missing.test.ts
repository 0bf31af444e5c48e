import { expect, it } from "vitest";
import { refused } from "../testing/index.ts";

it("an ID token without an issuer is refused", async () => {
  const said = await refused({ claims: (claims) => ({ ...claims, iss: undefined }) });
  expect(said).toContain("access_denied: ");
  expect(said).toContain("claim missing");
});
