import { expect, it } from "vitest";
import { refused } from "../testing/index.ts";

it("an ID token signed by an algorithm that the provider does not list is refused", async () => {
  const said = await refused({ document: (document) => ({ ...document, id_token_signing_alg_values_supported: ["RS256"] }) });
  expect(said).toContain("access_denied: ");
  expect(said).toContain("which does not count here");
});
