import type { SamlConnector } from "../../resources/index.ts";
import type { LoginAnswer, Provider, ProviderOptions, Vouched } from "../types.ts";
import { mapPerson } from "./map-attributes.ts";
import { createMetadataReader } from "./metadata-fetch.ts";
import { createMetadataSource } from "./metadata-source.ts";
import { UnknownKey, refuse } from "./refusal.ts";
import { createReplayCache } from "./replay.ts";
import { serviceProvider } from "./service-provider.ts";
import { verifyResponse, type VerifiedResponse } from "./verify.ts";

const defaultTimeouts = { request: 10_000, login: 30_000 };

/**
 * A SAML provider as this connector reaches it (web browser SSO profile, begun here alone: request by HTTP-Redirect, answer by HTTP-POST). A person is
 * known by the provider's entity id, the format of the name and the name. Throws nothing: what is wrong with the connector comes with the first login.
 */
export function createSamlProvider(connector: SamlConnector, options: ProviderOptions): Provider {
  const { clock, timeouts = defaultTimeouts } = options;
  const metadata = createMetadataReader(timeouts);
  const source = createMetadataSource(connector, clock, (url) => metadata.read(url));
  const replays = createReplayCache(clock);

  const verify = async ({ parameters, state }: LoginAnswer): Promise<VerifiedResponse & { readonly entityId: string }> => {
    const response = parameters["SAMLResponse"];
    if (response === undefined) throw refuse("there is none", "log in again; the provider has to answer by HTTP-POST");
    const provider = await source.current();
    const attempt = async (by: typeof provider): Promise<VerifiedResponse & { readonly entityId: string }> => ({ ...(await verifyResponse(response, connector, by, state, clock.now())), entityId: by.entityId });
    try {
      return await attempt(provider);
    } catch (error) {
      if (!(error instanceof UnknownKey) || !(await source.renewed(provider))) throw error;
      return attempt(await source.current());
    }
  };

  return {
    async authorizeUrl({ state }) {
      const library = await serviceProvider(connector, await source.current(), { state });
      return library.getAuthorizeUrlAsync(state, undefined, {});
    },
    async authenticate(answer): Promise<Vouched> {
      const { person, until, entityId } = await verify(answer);
      if (!replays.use(person.assertionId, until)) throw refuse("its assertion was used before", "log in again");
      return {
        name: person.name,
        id: JSON.stringify([entityId, person.format, person.name]),
        received: { issuer: entityId, NameID: person.name, NameIDFormat: person.format, attributes: person.attributes },
        mapping: mapPerson(connector, person),
      };
    },
    close: () => metadata.close(),
  };
}
