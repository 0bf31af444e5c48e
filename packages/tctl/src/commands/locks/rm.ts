import { Args } from "@oclif/core";
import type { ChangeResponse } from "@gatehouse/core/api";
import { escapeLine } from "@gatehouse/core/base";
import { formatFlag } from "@gatehouse/core/client/command";
import { formatData } from "@gatehouse/core/client/terminal";
import { TctlCommand, connectFlags } from "../../command.ts";

/** `tctl locks rm` */
export class LocksRm extends TctlCommand {
  static override summary = "Remove locks";
  static override description = "Whoever they were about is decided by their roles again, from the next request on; sessions that were ended stay ended.";
  static override examples = ["<%= config.bin %> locks rm 6f0e2a1c-8d1b-4c6e-9f60-0c2c1b7e5d11"];
  static override strict = false;
  static override args = { ids: Args.string({ ignoreStdin: true, required: true, description: "ids, as tctl locks ls shows them" }) };
  static override flags = { ...connectFlags, ...formatFlag };

  /** Removes one after another. */
  async run(): Promise<void> {
    const { flags, argv } = await this.parse(LocksRm);
    const admin = await this.connect(flags);
    const changes: ChangeResponse[] = [];
    for (const name of argv.flatMap((word) => String(word).split(",")).filter((word) => word !== "")) {
      const change = await admin.remove({ kind: "lock", name });
      changes.push(change);
      if (flags.format === "text") this.done(`lock ${escapeLine(change.name)} removed`);
    }
    if (flags.format !== "text") this.output.stdout.write(await formatData(changes, flags.format));
  }
}
