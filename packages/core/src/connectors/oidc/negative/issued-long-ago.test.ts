import { expect, it } from "vitest";
import { refused } from "../testing/index.ts";

it("an ID token that was issued long ago is refused", async () => {
  const said = await refused({ claims: (claims) => ({ ...claims, iat: Math.floor(Date.now() / 1000) - 3600 }) });
  expect(said).toContain("access_denied: ");
  expect(said).toContain("issued more than 10 minutes ago (iat)");
});
