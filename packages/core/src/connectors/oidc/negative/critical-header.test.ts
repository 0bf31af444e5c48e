import { expect, it } from "vitest";
import { refused } from "../testing/index.ts";

it("a token with an extension that must be understood, and is not, is refused", async () => {
  const said = await refused({ header: (header) => ({ ...header, crit: ["b64"], b64: false }) });
  expect(said).toContain("access_denied: ");
  expect(said).toContain("must be understood and is not (crit)");
});
