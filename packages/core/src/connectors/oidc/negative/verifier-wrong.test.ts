import { expect, it } from "vitest";
import { loginRequest, refusalOf, withIssuer } from "../testing/index.ts";

it("a code whose verifier is another one's is refused (PKCE)", async () => {
  await withIssuer({}, async (issuer, provider) => {
    const request = loginRequest();
    const parameters = issuer.authorize(await provider.authorizeUrl(request));
    const refusal = await refusalOf(provider.authenticate({ ...request, codeVerifier: loginRequest().codeVerifier, parameters }));
    expect(refusal).toMatchObject({ code: "access_denied", message: expect.stringContaining("invalid_grant") as string });
  });
});
