import { expect, it } from "vitest";
import { createSigningKey, refused, signToken, type Json } from "../testing/index.ts";

it("a key that comes with the token itself counts for nothing", async () => {
  const { jwk, privateKey } = createSigningKey();
  for (const extra of [{ jwk }, { jku: "http://127.0.0.1:1/keys" }]) {
    const said = await refused({
      token: (token) => {
        const [header = "", claims = ""] = token.split(".").map((part) => Buffer.from(part, "base64url").toString("latin1"));
        return signToken({ ...(JSON.parse(header) as Json), ...extra }, JSON.parse(claims) as Json, privateKey);
      },
    });
    expect(said).toContain("access_denied: ");
    expect(said).toContain("has a signature that does not hold");
  }
});
