import { expect, it } from "vitest";
import { refused } from "../testing/index.ts";

it("an ID token that was issued to another application is refused, also where this one is the only audience", async () => {
  const said = await refused({ claims: (claims) => ({ ...claims, azp: "another" }) });
  expect(said).toContain("access_denied: ");
  expect(said).toContain("was issued to another application");
});
