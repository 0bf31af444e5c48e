import { Args } from "@oclif/core";
import { GatehouseError } from "../../base/index.ts";
import { completionScript, isShell, shells } from "../completion/index.ts";
import { BaseCommand } from "./flags.ts";

/** `tsh completion`, `tctl completion` */
export class CompletionCommand extends BaseCommand {
  static override summary = "Print the script that completes this command's lines in your shell";
  static override description = `The script asks this command at each TAB: commands, flags and their values, and names, such as those of hosts, clusters and roles. Names are asked of the
gateway, and kept for a minute (and used for a day, while new ones come) in the folder cache of ~/.tsh until you log out. Its first lines say how to keep it.`;
  static override examples = ["source <(<%= config.bin %> completion bash)", "<%= config.bin %> completion zsh", "<%= config.bin %> completion fish > ~/.config/fish/completions/<%= config.bin %>.fish"];
  static override args = { shell: Args.string({ ignoreStdin: true, required: true, options: [...shells], description: shells.join(", ") }) };

  /** Prints it. */
  async run(): Promise<void> {
    const { args } = await this.parse(CompletionCommand);
    if (!isShell(args.shell)) throw new GatehouseError("usage", `the shells are ${shells.join(", ")}`);
    this.output.stdout.write(completionScript(this.config.bin, args.shell));
  }
}
