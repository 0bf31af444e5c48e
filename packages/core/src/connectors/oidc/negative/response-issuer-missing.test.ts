import { expect, it } from "vitest";
import { refused } from "../testing/index.ts";

it("an answer that does not say who gave it is refused where the provider always says so (RFC 9207)", async () => {
  const said = await refused({ redirect: ({ code, state }) => ({ code: String(code), state: String(state) }) });
  expect(said).toContain("access_denied: ");
  expect(said).toContain("the answer is not from");
});
