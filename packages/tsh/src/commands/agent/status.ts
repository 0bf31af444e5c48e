import { GatehouseError, systemClock } from "@gatehouse/core/base";
import { clientHome } from "@gatehouse/core/client";
import { BaseCommand, formatFlag } from "@gatehouse/core/client/command";
import { agentPlace, askAgent } from "@gatehouse/core/client/local-agent";
import { formatData } from "@gatehouse/core/client/terminal";
import { agentData, describeAgent } from "../../agent-text.ts";

/** `tsh agent status` */
export class AgentStatus extends BaseCommand {
  static override summary = "Show the local agent: who is logged in until when, what it renews, where its sockets are";
  static override description = "The exit code is 5 where none runs.";
  static override examples = ["<%= config.bin %> agent status", "<%= config.bin %> agent status --format=json"];
  static override flags = formatFlag;

  /** Prints what it says of itself. */
  async run(): Promise<void> {
    const { flags } = await this.parse(AgentStatus);
    const status = await askAgent(agentPlace(process.env, clientHome(process.env)), "status", {});
    if (flags.format !== "text") {
      this.output.stdout.write(await formatData(status ? agentData(status) : { running: false }, flags.format));
      if (!status) process.exitCode = 5;
      return;
    }
    if (!status) throw new GatehouseError("not_found", "no local agent runs", { hint: "tsh agent start starts it; most commands do so by themselves" });
    this.output.stdout.write(describeAgent(status, systemClock.now()));
  }
}
