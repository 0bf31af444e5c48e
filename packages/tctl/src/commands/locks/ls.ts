import { formatFlag } from "@gatehouse/core/client/command";
import { formatData } from "@gatehouse/core/client/terminal";
import { TctlCommand, connectFlags } from "../../command.ts";
import { lockTable } from "../../locks.ts";
import { readItems } from "../../resources.ts";

/** `tctl locks ls` */
export class LocksLs extends TctlCommand {
  static override summary = "List locks";
  static override description = "Those that are in force; one that has ended is gone.";
  static override examples = ["<%= config.bin %> locks ls", "<%= config.bin %> locks ls --format=json"];
  static override flags = { ...connectFlags, ...formatFlag };

  /** Prints every lock. */
  async run(): Promise<void> {
    const { flags } = await this.parse(LocksLs);
    const admin = await this.connect(flags);
    const locks = readItems(await admin.get({ kind: "lock" }, false)).map(({ resource }) => resource).filter((resource) => resource.kind === "lock");
    if (flags.format === "text") {
      this.output.stdout.write(lockTable(locks));
      return;
    }
    this.output.stdout.write(await formatData(locks.map(({ metadata, spec }) => ({ name: metadata.name, ...spec })), flags.format));
  }
}
