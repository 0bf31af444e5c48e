import { Flags } from "@oclif/core";
import { withPrompter } from "@gatehouse/core/client/command";
import { ConfigureCommand, configureFlags, readDescriptor } from "../../../configure/command.ts";
import { fillIn } from "../../../configure/needs.ts";

/** `tctl sso configure saml` */
export class SsoConfigureSaml extends ConfigureCommand {
  static override summary = "Write a connector for a SAML provider";
  static override description = "Prints the connector as YAML; nothing is stored. What the flags do not say is asked for on a terminal; without one it is an error.";
  static override examples = ["<%= config.bin %> sso configure saml --name=okta --entity-descriptor=https://example.okta.com/app/exk0/sso/saml/metadata --attributes-to-roles=groups,admins,admin"];
  static override flags = {
    ...configureFlags,
    "entity-descriptor": Flags.string({ summary: "The provider's metadata: its address, or a file", helpValue: "<file|url>" }),
    acs: Flags.string({ summary: "Address for the provider's answers; else on the cluster's public address", helpValue: "<url>" }),
    "attributes-to-roles": Flags.string({ multiple: true, multipleNonGreedy: true, summary: "Roles of who has a value of an attribute. May be repeated", helpValue: "<name,value,role,…>" }),
    audience: Flags.string({ summary: "Whom assertions must be for; else the address for answers", helpValue: "<text>" }),
    provider: Flags.string({ summary: "What the provider is, where it needs something of its own: adfs, okta, ping", helpValue: "<word>" }),
  };

  /** Fills in what is missing and writes the connector. */
  async run(): Promise<void> {
    const { flags } = await this.parse(SsoConfigureSaml);
    const needs = {
      descriptor: this.textNeed("--entity-descriptor", flags["entity-descriptor"], "The provider's metadata, its address (https://…) or a file:"),
      acs: await this.callbackNeed("saml", "--acs", flags.acs, flags),
      attributes: this.valuesNeed("--attributes-to-roles", flags["attributes-to-roles"], "attribute"),
    };
    const { descriptor, acs, attributes } = await withPrompter((prompter) => fillIn(needs, prompter));
    const attributes_to_roles = attributes.map(({ key, value, roles }) => ({ name: key, value, roles }));
    const { audience, provider } = flags;
    await this.emit("saml", "v2", { acs, ...(await readDescriptor(descriptor)), audience, provider, attributes_to_roles }, acs, flags);
  }
}
