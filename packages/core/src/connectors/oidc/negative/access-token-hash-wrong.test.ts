import { expect, it } from "vitest";
import { refused } from "../testing/index.ts";

it("an ID token beside an access token that it does not belong to is refused", async () => {
  const said = await refused({ claims: (claims) => ({ ...claims, at_hash: "AAAAAAAAAAAAAAAAAAAAAA" }) });
  expect(said).toContain("access_denied: ");
  expect(said).toContain("does not belong to the access token beside it (at_hash)");
});
