import { expect, it } from "vitest";
import { refused } from "../testing/index.ts";

it("an answer without a code is refused", async () => {
  const said = await refused({ redirect: ({ state, iss }) => ({ state: String(state), iss: String(iss) }) });
  expect(said).toContain("access_denied: ");
  expect(said).toContain("no code");
});
