import { expect, it } from "vitest";
import { refused } from "../testing/index.ts";

it("an answer to no login is refused", async () => {
  const said = await refused({ redirect: ({ code, iss }) => ({ code: String(code), iss: String(iss) }) });
  expect(said).toContain("access_denied: ");
  expect(said).toContain("is not to this login (state)");
});
