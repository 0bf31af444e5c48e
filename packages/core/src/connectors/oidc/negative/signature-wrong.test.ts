import { expect, it } from "vitest";
import { refused } from "../testing/index.ts";

it("an ID token with another signature is refused", async () => {
  const said = await refused({ token: (token) => token.replace(/[^.]{4}$/, (end) => (end === "AAAA" ? "BBBB" : "AAAA")) });
  expect(said).toContain("access_denied: ");
  expect(said).toContain("has a signature that does not hold");
});
