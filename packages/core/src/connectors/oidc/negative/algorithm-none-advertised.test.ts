import { expect, it } from "vitest";
import { refused } from "../testing/index.ts";

it("an ID token that nobody signed is refused also where the provider says that it does so", async () => {
  const said = await refused({ header: () => ({ alg: "none" }), document: (document) => ({ ...document, id_token_signing_alg_values_supported: ["ES256", "none"] }) });
  expect(said).toContain("access_denied: ");
  expect(said).toContain("is not signed in a way that counts");
});
