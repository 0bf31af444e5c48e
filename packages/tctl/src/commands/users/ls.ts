import { formatFlag } from "@gatehouse/core/client/command";
import { formatData } from "@gatehouse/core/client/terminal";
import { TctlCommand, connectFlags } from "../../command.ts";
import { readItems, userTable } from "../../resources.ts";

/** `tctl users ls` */
export class UsersLs extends TctlCommand {
  static override summary = "List users";
  static override examples = ["<%= config.bin %> users ls", "<%= config.bin %> users ls --format=json"];
  static override flags = { ...connectFlags, ...formatFlag };

  /** Prints every user, people from a connector included. */
  async run(): Promise<void> {
    const { flags } = await this.parse(UsersLs);
    const admin = await this.connect(flags);
    const users = readItems(await admin.get({ kind: "user" }, false)).map(({ resource }) => resource).filter((resource) => resource.kind === "user");
    if (flags.format === "text") {
      this.output.stdout.write(userTable(users));
      return;
    }
    const rows = users.map(({ metadata, spec }) => ({
      name: metadata.name,
      roles: spec.roles,
      traits: spec.traits,
      connector: spec.created_by?.connector?.id,
      expires: metadata.expires,
      locked: spec.status?.is_locked ?? false,
    }));
    this.output.stdout.write(await formatData(rows, flags.format));
  }
}
