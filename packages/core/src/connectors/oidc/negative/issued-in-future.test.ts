import { expect, it } from "vitest";
import { refused } from "../testing/index.ts";

it("an ID token that is issued in the future is refused", async () => {
  const said = await refused({ claims: (claims) => ({ ...claims, iat: Math.floor(Date.now() / 1000) + 120 }) });
  expect(said).toContain("access_denied: ");
  expect(said).toContain("issued in the future (iat)");
});
