import { expect, it } from "vitest";
import { refused } from "../testing/index.ts";

it("an ID token of another issuer is refused", async () => {
  const said = await refused({ claims: (claims) => ({ ...claims, iss: "https://evil.example" }) });
  expect(said).toContain("access_denied: ");
  expect(said).toContain("is from another issuer");
});
