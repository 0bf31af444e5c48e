import { expect, it } from "vitest";
import { refused, type Json } from "../testing/index.ts";

it("a signature over other claims counts for nothing", async () => {
  const said = await refused({
    token: (token) => {
      const [header = "", claims = "", signature = ""] = token.split(".");
      const changed = { ...(JSON.parse(Buffer.from(claims, "base64url").toString("utf8")) as Json), sub: "root" };
      return `${header}.${Buffer.from(JSON.stringify(changed)).toString("base64url")}.${signature}`;
    },
  });
  expect(said).toContain("access_denied: ");
  expect(said).toContain("has a signature that does not hold");
});
