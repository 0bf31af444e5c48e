import { expect, it } from "vitest";
import { refused } from "../testing/index.ts";
import { generateKeyPairSync, sign } from "node:crypto";

it("a key that is too short to trust is not used", async () => {
  const { publicKey, privateKey } = generateKeyPairSync("rsa", { modulusLength: 1024 });
  const said = await refused({
    document: (document) => ({ ...document, id_token_signing_alg_values_supported: ["RS256"] }),
    keys: () => [{ ...publicKey.export({ format: "jwk" }), kid: "short" }],
    token: (token) => {
      const input = `${Buffer.from('{"alg":"RS256","kid":"short"}').toString("base64url")}.${token.split(".")[1] ?? ""}`;
      return `${input}.${sign("sha256", Buffer.from(input), privateKey).toString("base64url")}`;
    },
  });
  expect(said).toContain("access_denied: ");
  expect(said).toContain("signed by a key that cannot be used");
});
