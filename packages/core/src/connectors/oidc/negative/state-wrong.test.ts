import { expect, it } from "vitest";
import { refused } from "../testing/index.ts";

it("an answer to another login is refused", async () => {
  const said = await refused({ redirect: (parameters) => ({ ...parameters, state: "of-another-login" }) });
  expect(said).toContain("access_denied: ");
  expect(said).toContain("is not to this login (state)");
});
