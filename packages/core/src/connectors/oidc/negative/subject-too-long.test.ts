import { expect, it } from "vitest";
import { refused } from "../testing/index.ts";

it("a subject longer than the specification allows is refused", async () => {
  const said = await refused({ claims: (claims) => ({ ...claims, sub: "x".repeat(256) }) });
  expect(said).toContain("access_denied: ");
  expect(said).toContain("no usable claim sub");
});
