import { expect, it } from "vitest";
import { refused, type Json } from "../testing/index.ts";

it("an ID token signed by the public key as if that were a secret is refused", async () => {
  const confused = { header: (header: Json) => ({ ...header, alg: "HS256" }) };
  expect(await refused(confused)).toContain("which does not count here");
  // Also where the provider's document admits the algorithm.
  const said = await refused({ ...confused, document: (document) => ({ ...document, id_token_signing_alg_values_supported: ["ES256", "HS256"] }) });
  expect(said).toContain("access_denied: ");
  expect(said).toContain("is not signed in a way that counts");
});
