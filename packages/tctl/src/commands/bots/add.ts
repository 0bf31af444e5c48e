import { Args, Flags } from "@oclif/core";
import { durationFlag, formatFlag } from "@gatehouse/core/client/command";
import { formatData } from "@gatehouse/core/client/terminal";
import { TctlCommand, connectFlags } from "../../command.ts";
import { splitNames } from "../../names.ts";

/** `tctl bots add` */
export class BotsAdd extends TctlCommand {
  static override summary = "Create a bot";
  static override description = "A bot is who a job is. It joins with tokens that name it: tctl tokens add --bot=NAME.";
  static override examples = ["<%= config.bin %> bots add ci --roles=deployer", "<%= config.bin %> bots add ci --roles=access --logins=deploy --k8s-groups=developers --ttl=20m"];
  static override args = { name: Args.string({ ignoreStdin: true, required: true, description: "the bot's name" }) };
  static override flags = {
    ...connectFlags,
    ...formatFlag,
    roles: Flags.string({ required: true, summary: "Roles, comma-separated", helpValue: "<role,…>" }),
    logins: Flags.string({ summary: "Accounts on hosts, comma-separated", helpValue: "<login,…>" }),
    "k8s-groups": Flags.string({ aliases: ["kubernetes-groups"], summary: "Kubernetes groups, comma-separated", helpValue: "<group,…>" }),
    ttl: Flags.string({ summary: "How long its logins last, 1h at most", helpValue: "<duration>" }),
  };

  /** Creates it and says how it joins. */
  async run(): Promise<void> {
    const { args, flags } = await this.parse(BotsAdd);
    const { name } = args;
    const [logins, groups] = [splitNames(flags.logins), splitNames(flags["k8s-groups"])];
    if (flags.ttl !== undefined) durationFlag("--ttl", flags.ttl, { min: 60_000, max: 3_600_000, words: "1 min to 1 h" });
    const traits = { ...(logins.length > 0 ? { logins } : {}), ...(groups.length > 0 ? { kubernetes_groups: groups } : {}) };
    const change = await (await this.connect(flags)).put({ kind: "bot", version: "v1", metadata: { name }, spec: { roles: splitNames(flags.roles), traits, ...(flags.ttl === undefined ? {} : { max_ttl: flags.ttl }) } }, "create");
    if (flags.format !== "text") this.output.stdout.write(await formatData({ name: change.name, user: `bot:${change.name}`, revision: change.revision }, flags.format));
    else {
      this.done(`bot ${change.name} created; its user name is bot:${change.name}`);
      this.output.stderr.write(`  let it join: tctl tokens add --bot=${change.name} --join-method=…\n`);
    }
  }
}
