import { Flags } from "@oclif/core";
import { withPrompter } from "@gatehouse/core/client/command";
import { ConfigureCommand, configureFlags, secretFlag } from "../../../configure/command.ts";
import { fillIn } from "../../../configure/needs.ts";

/** `tctl sso configure oidc` */
export class SsoConfigureOidc extends ConfigureCommand {
  static override summary = "Write a connector for an OpenID Connect provider";
  static override description = "Prints the connector as YAML; nothing is stored. What the flags do not say is asked for on a terminal; without one it is an error.";
  static override examples = ["<%= config.bin %> sso configure oidc --name=okta --issuer-url=https://example.okta.com --id=0oa1example --secret-file=secret.txt --claims-to-roles=groups,admins,admin --scope=groups"];
  static override flags = {
    ...configureFlags,
    ...secretFlag,
    "issuer-url": Flags.string({ summary: "The provider's issuer, exactly as its discovery document has it", helpValue: "<url>" }),
    id: Flags.string({ summary: "Client id", helpValue: "<id>" }),
    "redirect-url": Flags.string({ summary: "Callback address that is registered there; else on the cluster's public address", helpValue: "<url>" }),
    "claims-to-roles": Flags.string({ multiple: true, multipleNonGreedy: true, summary: "Roles of who has a value of a claim. May be repeated", helpValue: "<claim,value,role,…>" }),
    scope: Flags.string({ multiple: true, multipleNonGreedy: true, summary: "A scope beside openid and email. May be repeated", helpValue: "<scope>" }),
    "username-claim": Flags.string({ summary: "The claim that names the user; else email, which must be verified", helpValue: "<claim>" }),
    provider: Flags.string({ summary: "What the provider is, where it needs something of its own: adfs, netiq, google", helpValue: "<word>" }),
    prompt: Flags.string({ summary: "What the provider is to ask each time; empty for nothing", helpValue: "<words>" }),
    acr: Flags.string({ summary: "Authentication context that is asked for, and demanded", helpValue: "<values>" }),
  };

  /** Fills in what is missing and writes the connector. */
  async run(): Promise<void> {
    const { flags } = await this.parse(SsoConfigureOidc);
    const needs = {
      issuer_url: this.textNeed("--issuer-url", flags["issuer-url"], "The provider's issuer (https://…):"),
      client_id: this.textNeed("--id", flags.id, "Client id:"),
      client_secret: await this.secretNeed(flags["secret-file"]),
      redirect_url: await this.callbackNeed("oidc", "--redirect-url", flags["redirect-url"], flags),
      claims: this.valuesNeed("--claims-to-roles", flags["claims-to-roles"], "claim"),
    };
    const { claims, ...rest } = await withPrompter((prompter) => fillIn(needs, prompter));
    const claims_to_roles = claims.map(({ key, value, roles }) => ({ claim: key, value, roles }));
    const { scope, provider, prompt } = flags;
    const more = { scope, provider, prompt, username_claim: flags["username-claim"], acr_values: flags.acr };
    await this.emit("oidc", "v3", { ...rest, ...more, claims_to_roles }, rest.redirect_url, flags);
  }
}
