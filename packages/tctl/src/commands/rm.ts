import { Args } from "@oclif/core";
import { formatFlag } from "@gatehouse/core/client/command";
import { formatData } from "@gatehouse/core/client/terminal";
import { describeChange } from "../changes.ts";
import { TctlCommand, connectFlags } from "../command.ts";
import { oneRef, withNearest } from "../resources.ts";

/** `tctl rm` */
export class Rm extends TctlCommand {
  static override summary = "Remove a resource";
  static override examples = ["<%= config.bin %> rm roles/old", "<%= config.bin %> rm user/bo"];
  static override args = { resource: Args.string({ ignoreStdin: true, required: true, description: "kind/name" }), name: Args.string({ ignoreStdin: true, required: false, description: "the name, where it is a word of its own" }) };
  static override flags = { ...connectFlags, ...formatFlag };

  /** Removes it and says so. */
  async run(): Promise<void> {
    const { flags, args } = await this.parse(Rm);
    const ref = oneRef(args.name === undefined ? [args.resource] : [args.resource, args.name]);
    const admin = await this.connect(flags);
    const change = await withNearest(admin, ref, () => admin.remove(ref));
    if (flags.format === "text") this.done(describeChange(change));
    else this.output.stdout.write(await formatData(change, flags.format));
  }
}
