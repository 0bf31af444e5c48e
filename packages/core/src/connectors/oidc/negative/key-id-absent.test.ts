import { expect, it } from "vitest";
import { attempt, createSigningKey, refused, type Json } from "../testing/index.ts";

it("a token that names no key is taken where there is one key, and refused where there are several", async () => {
  const header = (): Json => ({ alg: "ES256" });
  expect((await attempt({ header })).name).toBe("ana@example.com");
  const said = await refused({ header, keys: (keys) => [...keys, createSigningKey().jwk] });
  expect(said).toContain("access_denied: ");
  expect(said).toContain("does not name the key that signed it (kid)");
});
