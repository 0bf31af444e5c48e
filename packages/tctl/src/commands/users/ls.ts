import type { AdminClient } from "@gatehouse/core/api";
import { GatehouseError, systemClock } from "@gatehouse/core/base";
import { formatFlag } from "@gatehouse/core/client/command";
import { formatData } from "@gatehouse/core/client/terminal";
import { TctlCommand, connectFlags } from "../../command.ts";
import type { Lock } from "@gatehouse/core/resources";
import { lockOfUser, readItems, userTable } from "../../resources.ts";

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
    const locks = await this.locks(admin);
    const now = systemClock.now();
    if (flags.format === "text") {
      this.output.stdout.write(userTable(users, locks, now));
      return;
    }
    const rows = users.map((user) => {
      const { metadata, spec } = user;
      const lock = lockOfUser(user, locks, now);
      return {
        name: metadata.name,
        roles: spec.roles,
        traits: spec.traits,
        connector: spec.created_by?.connector?.id,
        expires: metadata.expires,
        locked: lock !== undefined,
        lock: lock?.lock,
        locked_until: lock?.until,
      };
    });
    this.output.stdout.write(await formatData(rows, flags.format));
  }

  /** Every lock; none, and a note, for whoever may see users and not locks. */
  private async locks(admin: AdminClient): Promise<readonly Lock[]> {
    try {
      return readItems(await admin.get({ kind: "lock" }, false)).map(({ resource }) => resource).filter((resource) => resource.kind === "lock");
    } catch (error) {
      if (!(error instanceof GatehouseError && error.code === "access_denied")) throw error;
      this.note(["locks are not shown: your roles do not let you list them"]);
      return [];
    }
  }
}
