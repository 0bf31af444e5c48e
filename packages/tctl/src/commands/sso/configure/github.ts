import { Flags } from "@oclif/core";
import { withPrompter } from "@gatehouse/core/client/command";
import { ConfigureCommand, configureFlags, secretFlag } from "../../../configure/command.ts";
import { askForTeams, teamMappings } from "../../../configure/github.ts";
import { fillIn } from "../../../configure/needs.ts";

/** `tctl sso configure github` */
export class SsoConfigureGithub extends ConfigureCommand {
  static override summary = "Write a connector for GitHub or GitHub Enterprise";
  static override description = "Prints the connector as YAML; nothing is stored. What the flags do not say is asked for on a terminal; without one it is an error.";
  static override examples = [
    { description: "Write it, then try it out", command: "<%= config.bin %> sso configure github --id=Iv1.0123 --secret-file=secret.txt --teams-to-roles=octocats/admins=admin --out=github.yaml" },
    { description: "Every member of an organization", command: "<%= config.bin %> sso configure github --teams-to-groups='octocats/*=viewers'" },
  ];
  static override flags = {
    ...configureFlags,
    ...secretFlag,
    id: Flags.string({ summary: "Client id of the OAuth app", helpValue: "<id>" }),
    "redirect-url": Flags.string({ summary: "Callback URL of the OAuth app; else on the cluster's public address", helpValue: "<url>" }),
    "teams-to-roles": Flags.string({ multiple: true, multipleNonGreedy: true, summary: "Roles of a team; * for the team is every member. May be repeated", helpValue: "<org/team=role,…>" }),
    "teams-to-logins": Flags.string({ multiple: true, multipleNonGreedy: true, summary: "Accounts on hosts of a team", helpValue: "<org/team=login,…>" }),
    "teams-to-groups": Flags.string({ multiple: true, multipleNonGreedy: true, summary: "Kubernetes groups of a team", helpValue: "<org/team=group,…>" }),
    "endpoint-url": Flags.string({ summary: "Address of a GitHub Enterprise server", helpValue: "<url>" }),
    "api-endpoint-url": Flags.string({ summary: "Address of its API; else ENDPOINT/api/v3", helpValue: "<url>" }),
  };

  /** Fills in what is missing and writes the connector. */
  async run(): Promise<void> {
    const { flags } = await this.parse(SsoConfigureGithub);
    const endpoint = flags["endpoint-url"];
    const needs = {
      client_id: this.textNeed("--id", flags.id, "Client id of the OAuth app:"),
      client_secret: await this.secretNeed(flags["secret-file"]),
      redirect_url: await this.callbackNeed("github", "--redirect-url", flags["redirect-url"], flags),
      teams: { flag: "--teams-to-roles", given: teamMappings(flags), ask: askForTeams },
    };
    const { teams, ...rest } = await withPrompter((prompter) => fillIn(needs, prompter));
    const api = flags["api-endpoint-url"] ?? (endpoint === undefined ? undefined : `${endpoint.replace(/\/+$/, "")}/api/v3`);
    const spec = { ...rest, display: "GitHub", ...teams, ...(endpoint === undefined ? {} : { endpoint_url: endpoint }), ...(api === undefined ? {} : { api_endpoint_url: api }) };
    await this.emit("github", "v3", spec, rest.redirect_url, flags);
  }
}
