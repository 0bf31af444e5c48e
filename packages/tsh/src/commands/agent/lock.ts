import { BaseCommand } from "@gatehouse/core/client/command";
import { askOwnAgent, readPassphrase } from "../../agent-passphrase.ts";

/** `tsh agent lock` */
export class AgentLock extends BaseCommand {
  static override summary = "Lock the local agent with a passphrase";
  static override description = `Until the same passphrase comes again (tsh agent unlock, ssh-add -X) it lists nothing, signs nothing and gives no credentials to kubectl. The first line of
standard input is the passphrase where that is no terminal.`;
  static override examples = ["<%= config.bin %> agent lock"];

  /** Asks twice, and locks. */
  async run(): Promise<void> {
    await this.parse(AgentLock);
    const passphrase = await readPassphrase("Passphrase to lock the agent with:", "Again:");
    await askOwnAgent("lock", { passphrase });
    this.output.stderr.write(`${this.output.style.green("✔")} the local agent is locked\n`);
  }
}

/** `tsh agent unlock` */
export class AgentUnlock extends BaseCommand {
  static override summary = "Unlock the local agent";
  static override description = "Takes the passphrase of tsh agent lock or ssh-add -x, from the first line of standard input where that is no terminal. Every wrong one makes the next answer slower.";
  static override examples = ["<%= config.bin %> agent unlock"];

  /** Asks, and unlocks. */
  async run(): Promise<void> {
    await this.parse(AgentUnlock);
    await askOwnAgent("unlock", { passphrase: await readPassphrase("Passphrase of the agent:") });
    this.output.stderr.write(`${this.output.style.green("✔")} the local agent is unlocked\n`);
  }
}
