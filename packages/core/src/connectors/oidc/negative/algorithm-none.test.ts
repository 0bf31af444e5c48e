import { expect, it } from "vitest";
import { refused } from "../testing/index.ts";

it("an ID token that nobody signed is refused", async () => {
  const said = await refused({ header: () => ({ alg: "none" }) });
  expect(said).toContain("access_denied: ");
  expect(said).toContain("which does not count here");
});
