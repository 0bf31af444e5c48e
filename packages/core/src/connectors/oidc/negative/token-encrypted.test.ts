import { expect, it } from "vitest";
import { refused } from "../testing/index.ts";

it("an encrypted ID token is refused", async () => {
  const said = await refused({ token: () => "a.b.c.d.e" });
  expect(said).toContain("access_denied: ");
  expect(said).toContain("is encrypted");
});
