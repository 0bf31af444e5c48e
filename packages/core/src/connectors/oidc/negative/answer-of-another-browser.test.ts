import { expect, it } from "vitest";
import { loginRequest, refusalOf, withIssuer } from "../testing/index.ts";

it("an answer that was made for another login is refused though it names this one", async () => {
  await withIssuer({}, async (issuer, provider) => {
    const [mine, theirs] = [loginRequest(), loginRequest()];
    const { code } = issuer.authorize(await provider.authorizeUrl(theirs));
    const refusal = await refusalOf(provider.authenticate({ ...mine, parameters: { code, state: mine.state, iss: issuer.url } }));
    expect(refusal).toMatchObject({ code: "access_denied", message: expect.stringContaining("refused the token request") as string });
  });
});
