import { expect, it } from "vitest";
import { loginRequest, refusalOf, withIssuer } from "../testing/index.ts";

it("an answer that comes a second time is refused", async () => {
  await withIssuer({}, async (issuer, provider) => {
    const request = loginRequest();
    const answer = { ...request, parameters: issuer.authorize(await provider.authorizeUrl(request)) };
    await provider.authenticate(answer);
    expect(await refusalOf(provider.authenticate(answer))).toMatchObject({ code: "access_denied", message: expect.stringContaining("the code is not good (invalid_grant)") as string });
  });
});
