import { Flags } from "@oclif/core";
import { BaseCommand } from "@gatehouse/core/client/command";

/** `tsh agent run`, for its help: main runs the command itself without oclif. */
export class AgentRun extends BaseCommand {
  static override summary = "Run the local agent here, until it is told to stop";
  static override description = `What tsh agent start and the units of tsh agent install run. Says on standard error what it does; --log-file writes that to a file beside its sockets
instead. Where an agent of another version runs it takes over what that one holds.`;
  static override examples = ["<%= config.bin %> agent run"];
  static override flags = {
    "log-file": Flags.boolean({ summary: "Write the log to agent.log beside the sockets, 1 MiB at most" }),
  };

  /** As main does. */
  async run(): Promise<void> {
    await this.parse(AgentRun);
    const { agentRun } = await import("../../agent-run.ts");
    process.exitCode = await agentRun(this.argv);
  }
}
