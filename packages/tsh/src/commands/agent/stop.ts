import { clientHome } from "@gatehouse/core/client";
import { stopAgent } from "@gatehouse/agent/start";
import { BaseCommand } from "@gatehouse/core/client/command";
import { agentPlace } from "@gatehouse/core/client/local-agent";

/** `tsh agent stop` */
export class AgentStop extends BaseCommand {
  static override summary = "End the local agent";
  static override description = `One that does not answer is ended by its process. Keys that ssh-add brought and logins that are kept in its memory alone are gone with it. The next command
starts another: TSH_AGENT=off, or tsh agent config agent=off, keeps it away.`;
  static override examples = ["<%= config.bin %> agent stop"];

  /** Tells it to go. */
  async run(): Promise<void> {
    await this.parse(AgentStop);
    const how = await stopAgent(agentPlace(process.env, clientHome(process.env)));
    const ended = how === "forced" ? "the local agent did not answer, and was ended" : "the local agent has ended";
    this.output.stderr.write(how === "none" ? "no local agent runs\n" : `${this.output.style.green("✔")} ${ended}\n`);
  }
}
