import { expect, it } from "vitest";
import { refused } from "../testing/index.ts";

it("an ID token whose algorithm is not its key's is refused", async () => {
  const said = await refused({ header: (header) => ({ ...header, alg: "ES384" }), document: (document) => ({ ...document, id_token_signing_alg_values_supported: ["ES256", "ES384"] }) });
  expect(said).toContain("access_denied: ");
  expect(said).toContain("a key that it does not publish");
});
