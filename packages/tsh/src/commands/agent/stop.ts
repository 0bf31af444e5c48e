import { GatehouseError } from "@gatehouse/core/base";
import { clientHome } from "@gatehouse/core/client";
import { BaseCommand } from "@gatehouse/core/client/command";
import { agentPlace, askAgent } from "@gatehouse/core/client/local-agent";

/** `tsh agent stop` */
export class AgentStop extends BaseCommand {
  static override summary = "End the local agent";
  static override description = `Keys that ssh-add brought and logins that are kept in its memory alone are gone with it. The next command starts another: TSH_AGENT=off, or
tsh agent config agent=off, keeps it away.`;
  static override examples = ["<%= config.bin %> agent stop"];

  /** Tells it to go. */
  async run(): Promise<void> {
    await this.parse(AgentStop);
    const stopped = await askAgent(agentPlace(process.env, clientHome(process.env)), "stop", {}).catch((error: unknown) => {
      if (!(error instanceof GatehouseError) || error.code !== "internal") throw error;
      throw new GatehouseError("internal", error.message, { hint: "find the process and end it: ps -C 'tsh agent' -o pid,lstart", cause: error });
    });
    this.output.stderr.write(stopped ? `${this.output.style.green("✔")} the local agent has ended\n` : "no local agent runs\n");
  }
}
