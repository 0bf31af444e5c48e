import { expect, it } from "vitest";
import { refused } from "../testing/index.ts";

it("an answer without an ID token is refused", async () => {
  const said = await refused({ answer: (answer) => ({ ...answer, id_token: undefined }) });
  expect(said).toContain("internal: ");
  expect(said).toContain("id_token");
});
