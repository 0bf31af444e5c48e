import { expect, it } from "vitest";
import { refused } from "../testing/index.ts";

it("an ID token without a signature is refused", async () => {
  const said = await refused({ token: (token) => token.replace(/[^.]+$/, "") });
  expect(said).toContain("access_denied: ");
  expect(said).toContain("sent an ID token that");
});
