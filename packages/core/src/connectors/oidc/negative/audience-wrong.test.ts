import { expect, it } from "vitest";
import { refused } from "../testing/index.ts";

it("an ID token for another application is refused", async () => {
  const said = await refused({ claims: (claims) => ({ ...claims, aud: "another" }) });
  expect(said).toContain("access_denied: ");
  expect(said).toContain("is for another application");
});
