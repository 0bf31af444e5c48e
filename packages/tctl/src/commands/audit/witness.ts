import { Args } from "@oclif/core";
import { escapeLine } from "@gatehouse/core/base";
import { TctlCommand, connectFlags } from "../../command.ts";

/** `tctl audit witness` */
export class AuditWitness extends TctlCommand {
  static override summary = "Print the checkpoints that this gateway keeps as the witness of another one";
  static override description = "One a line, for: tctl audit verify --witness=<file>.";
  static override examples = ["<%= config.bin %> audit witness example > example.log"];
  static override args = { name: Args.string({ required: true, ignoreStdin: true, description: "What the other gateway is called here (audit.witness_for)" }) };
  static override flags = connectFlags;

  /** Asks the gateway and prints. */
  async run(): Promise<void> {
    const { args, flags } = await this.parse(AuditWitness);
    // A checkpoint is printable ASCII in JSON: escaping changes none, and nothing else reaches a terminal.
    for await (const line of (await this.connect(flags)).witness(args.name)) this.output.stdout.write(`${escapeLine(line)}\n`);
  }
}
