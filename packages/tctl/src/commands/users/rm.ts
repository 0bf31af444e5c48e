import { Args } from "@oclif/core";
import type { ChangeResponse } from "@gatehouse/core/api";
import { formatFlag } from "@gatehouse/core/client/command";
import { formatData } from "@gatehouse/core/client/terminal";
import { describeChange } from "../../changes.ts";
import { TctlCommand, connectFlags } from "../../command.ts";
import { withNearest } from "../../resources.ts";

/** `tctl users rm` */
export class UsersRm extends TctlCommand {
  static override summary = "Remove users";
  static override description = "Ends their live sessions and refuses their certificates from now on.";
  static override examples = ["<%= config.bin %> users rm bo", "<%= config.bin %> users rm bo,bea"];
  static override strict = false;
  static override args = { names: Args.string({ ignoreStdin: true, required: true, description: "names, as words or comma-separated" }) };
  static override flags = { ...connectFlags, ...formatFlag };

  /** Removes one after another. */
  async run(): Promise<void> {
    const { flags, argv } = await this.parse(UsersRm);
    const admin = await this.connect(flags);
    const changes: ChangeResponse[] = [];
    for (const name of argv.flatMap((word) => String(word).split(",")).filter((word) => word !== "")) {
      const change = await withNearest(admin, { kind: "user", name }, () => admin.remove({ kind: "user", name }));
      changes.push(change);
      if (flags.format === "text") this.done(describeChange(change));
    }
    if (flags.format !== "text") this.output.stdout.write(await formatData(changes, flags.format));
  }
}
