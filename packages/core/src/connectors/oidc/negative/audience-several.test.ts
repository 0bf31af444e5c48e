import { expect, it } from "vitest";
import { refused } from "../testing/index.ts";

it("an ID token for several applications is refused where it does not say that it was issued to this one", async () => {
  const said = await refused({ claims: (claims) => ({ ...claims, aud: ["gatehouse", "another"] }) });
  expect(said).toContain("access_denied: ");
  expect(said).toContain("is for another application");
});
