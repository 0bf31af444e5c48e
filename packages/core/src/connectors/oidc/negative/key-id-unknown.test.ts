import { expect, it } from "vitest";
import { refused } from "../testing/index.ts";

it("a token that names a key that the provider does not publish is refused", async () => {
  const said = await refused({ header: (header) => ({ ...header, kid: "another" }) });
  expect(said).toContain("access_denied: ");
  expect(said).toContain("a key that it does not publish");
});
