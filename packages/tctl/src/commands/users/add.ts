import { Args, Flags } from "@oclif/core";
import { systemClock } from "@gatehouse/core/base";
import { formatFlag } from "@gatehouse/core/client/command";
import { describeEnd, formatData } from "@gatehouse/core/client/terminal";
import { TctlCommand, connectFlags } from "../../command.ts";
import { splitNames } from "../../names.ts";
import { inviteTtl } from "../../resources.ts";

/** `tctl users add` */
export class UsersAdd extends TctlCommand {
  static override summary = "Invite a user";
  static override description = "Creates the user and prints a link, good once, where they choose a password.";
  static override examples = ["<%= config.bin %> users add alice --roles=admin", "<%= config.bin %> users add bea root,deploy --k8s-groups=developers"];
  static override args = { name: Args.string({ ignoreStdin: true, required: true, description: "the user's name" }), logins: Args.string({ ignoreStdin: true, required: false, description: "accounts on hosts, comma-separated" }) };
  static override flags = {
    ...connectFlags,
    ...formatFlag,
    roles: Flags.string({ default: "access", summary: "Roles, comma-separated", helpValue: "<role,…>" }),
    logins: Flags.string({ summary: "Accounts on hosts, comma-separated", helpValue: "<login,…>" }),
    "k8s-groups": Flags.string({ aliases: ["kubernetes-groups"], summary: "Kubernetes groups, comma-separated", helpValue: "<group,…>" }),
    ttl: Flags.string({ default: "1h", summary: "How long the link works, 48h at most", helpValue: "<duration>" }),
  };

  /** Invites and prints the link. */
  async run(): Promise<void> {
    const { flags, args } = await this.parse(UsersAdd);
    const ttl = inviteTtl(flags.ttl);
    const logins = splitNames([args.logins, flags.logins].filter((text) => text !== undefined).join(","));
    const groups = splitNames(flags["k8s-groups"]);
    const traits = { ...(logins.length > 0 ? { logins } : {}), ...(groups.length > 0 ? { kubernetes_groups: groups } : {}) };
    const invite = await (await this.connect(flags)).invite(args.name, { roles: splitNames(flags.roles), traits, ttl });
    if (flags.format !== "text") {
      this.output.stdout.write(await formatData({ ...invite, expires: new Date(invite.expires).toISOString() }, flags.format));
      return;
    }
    this.done(`user ${invite.user} created. Send them this link; it works once, until ${describeEnd(invite.expires, systemClock.now())}:`);
    this.output.stdout.write(`${invite.url}\n`);
  }
}
