import { MockAgent, getGlobalDispatcher, setGlobalDispatcher } from "undici";
import { expect, it } from "vitest";
import { manualClock } from "../../base/index.ts";
import { createIssuerKeys } from "./keys.ts";

it("an issuer elsewhere cannot send the gateway to what listens on the gateway's own machine", async () => {
  const before = getGlobalDispatcher();
  const agent = new MockAgent();
  agent.disableNetConnect();
  setGlobalDispatcher(agent);
  try {
    const issuer = "https://issuer.example.com";
    agent.get(issuer).intercept({ path: "/.well-known/openid-configuration" }).reply(200, { issuer, jwks_uri: "http://127.0.0.1:9100/metrics" });
    await expect(createIssuerKeys(manualClock(0)).keys(issuer, false)).rejects.toMatchObject({ code: "unavailable", message: expect.stringContaining("http://127.0.0.1:9100/metrics is no https address") as string });
  } finally {
    setGlobalDispatcher(before);
    await agent.close();
  }
});
