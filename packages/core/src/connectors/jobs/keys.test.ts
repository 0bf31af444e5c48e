import { expect, it } from "vitest";
import { manualClock } from "../../base/index.ts";
import type { HttpQuestion, ProviderHttp } from "../http.ts";
import { createIssuerKeys, issuerLimits } from "./keys.ts";

const issuer = "https://issuer.example.com";

it.each([
  ["what listens on the gateway's own machine", "http://127.0.0.1:9100/metrics"],
  ["an address that holds a password", "https://ana:secret@issuer.example.com/keys"],
  ["what is no address", "keys.json"],
])("an issuer elsewhere cannot send the gateway to %s", async (_, address) => {
  const asked: string[] = [];
  const http: ProviderHttp = {
    send: () => Promise.reject(new Error("not asked for")),
    json({ url }: HttpQuestion, schema) {
      asked.push(url);
      return Promise.resolve(schema.parse({ issuer, jwks_uri: address, keys: [] }));
    },
    close: () => Promise.resolve(),
  };
  await expect(createIssuerKeys(manualClock(0), issuerLimits, () => http).keys(issuer, false)).rejects.toMatchObject({ code: "unavailable", message: expect.stringContaining("is no https address") as string });
  expect(asked).toEqual([`${issuer}/.well-known/openid-configuration`]);
});
