import { expect, it } from "vitest";
import { refused } from "../testing/index.ts";

it("what is no token is refused, and not shown", async () => {
  const said = await refused({ token: () => "secret-secret.secret.secret" });
  expect(said).toContain("access_denied: ");
  expect(said).toContain("failed to parse JWT Header");
});
