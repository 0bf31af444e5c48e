import { Flags } from "@oclif/core";
import { clientHome } from "@gatehouse/core/client";
import { stopAgent } from "@gatehouse/agent/start";
import { BaseCommand } from "@gatehouse/core/client/command";
import { agentPlace } from "@gatehouse/core/client/local-agent";

const outcomes = {
  ended: "the local agent has ended",
  unlocked: "the local agent has ended, and its lock with it: logins in a keychain or file can be used again",
  forced: "the local agent did not answer, and was ended",
};

/** `tsh agent stop` */
export class AgentStop extends BaseCommand {
  static override summary = "End the local agent";
  static override description = `One that does not answer is ended by its process. Keys that ssh-add brought and logins that are kept in its memory alone are gone with it. The next command
starts another: TSH_AGENT=off, or tsh agent config agent=off, keeps it away. One that is locked is left running, since its lock would end with it.`;
  static override examples = ["<%= config.bin %> agent stop", "<%= config.bin %> agent stop --force"];
  static override flags = {
    force: Flags.boolean({ summary: "End one that is locked too: logins in a keychain or file can be used again then, without the passphrase" }),
  };

  /** Tells it to go. */
  async run(): Promise<void> {
    const { flags } = await this.parse(AgentStop);
    const how = await stopAgent(agentPlace(process.env, clientHome(process.env)), { force: flags.force });
    this.output.stderr.write(how === "none" ? "no local agent runs\n" : `${this.output.style.green("✔")} ${outcomes[how]}\n`);
  }
}
