import { expect, it } from "vitest";
import { refused } from "../testing/index.ts";

it("what userinfo says of another address does not verify the one in the ID token", async () => {
  const said = await refused({
    claims: (claims) => ({ ...claims, email: "ceo@example.com", email_verified: undefined }),
    userinfo: (claims) => ({ ...claims, email: "ana@example.com", email_verified: true }),
  });
  expect(said).toContain("access_denied: ceo@example.com may be anybody's");
});
