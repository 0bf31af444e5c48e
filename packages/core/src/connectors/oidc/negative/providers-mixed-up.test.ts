import { expect, it } from "vitest";
import { loginRequest, refusalOf, withIssuer } from "../testing/index.ts";
import { systemClock } from "../../../base/index.ts";
import { createOidcProvider } from "../provider.ts";

it("a code of one provider that is brought to the connector of another is refused, and its own provider keeps it", async () => {
  await withIssuer({}, (honest, provider) =>
    withIssuer({}, async (evil) => {
      const request = loginRequest();
      const here = new URL(await provider.authorizeUrl(request));
      // The person's browser was sent to the wrong provider, whose code comes back as if it were the right one's.
      const parameters = evil.authorize(here.href);
      const named = await refusalOf(provider.authenticate({ ...request, parameters }));
      expect(named).toMatchObject({ code: "access_denied", message: expect.stringContaining("the answer is not from") as string });
      expect(honest.arrived.token).toBe(0);
      // Without RFC 9207 nobody but the right provider is asked, and it does not know the code.
      honest.script = { document: (document) => ({ ...document, authorization_response_iss_parameter_supported: false }) };
      const other = createOidcProvider(honest.connector(), { clock: systemClock });
      const silent = await refusalOf(other.authenticate({ ...request, parameters: { code: parameters["code"], state: request.state } }));
      await other.close();
      expect(silent).toMatchObject({ code: "access_denied", message: expect.stringContaining("refused the token request") as string });
      expect(evil.arrived.token).toBe(0);
    }),
  );
});
