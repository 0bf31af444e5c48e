/** The library, imported statically: a file of its own, so that it is loaded when a connector needs it, and survives bundling. */
export { SAML, generateServiceProviderMetadata } from "@node-saml/node-saml";
