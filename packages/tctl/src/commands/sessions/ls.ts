import { formatFlag } from "@gatehouse/core/client/command";
import { formatData } from "@gatehouse/core/client/terminal";
import { TctlCommand, connectFlags } from "../../command.ts";
import { sessionTable } from "../../sessions.ts";

/** `tctl sessions ls` */
export class SessionsLs extends TctlCommand {
  static override summary = "List sessions under way";
  static override description = "Every exec, attach and port-forward in clusters, and every shell, command and file transfer on hosts, that is open on this gateway and that your rules let you list, the latest first. Sessions that have ended: tsh recordings ls.";
  static override examples = ["<%= config.bin %> sessions ls", "<%= config.bin %> sessions ls --format=json"];
  static override flags = { ...connectFlags, ...formatFlag };

  /** Prints them. */
  async run(): Promise<void> {
    const { flags } = await this.parse(SessionsLs);
    const items = await (await this.connect(flags)).sessions();
    this.output.stdout.write(flags.format === "text" ? sessionTable(items) : await formatData(items, flags.format));
  }
}
