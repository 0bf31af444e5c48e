import { expect, it } from "vitest";
import { refused } from "../testing/index.ts";

it("an address of which nobody says that it is verified names nobody", async () => {
  for (const verified of [undefined, "true", 1]) {
    const said = await refused({}, { person: { sub: "x", email: "ceo@example.com", email_verified: verified, groups: ["dev"] } });
    expect(said).toContain("access_denied: ");
    expect(said).toContain("does not say that the address is verified");
  }
});
