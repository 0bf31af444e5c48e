import { clientHome } from "@gatehouse/core/client";
import { BaseCommand } from "@gatehouse/core/client/command";
import { startAgent } from "@gatehouse/agent/start";
import { runningProgram } from "../../program.ts";

/** `tsh agent start` */
export class AgentStart extends BaseCommand {
  static override summary = "Start the local agent, where none of this version runs";
  static override description = `Commands do so by themselves, but for CI and where TSH_AGENT=off. The agent ends by itself once it has held nothing for 15 minutes.`;
  static override examples = ["<%= config.bin %> agent start"];

  /** Starts it, and waits until it answers. */
  async run(): Promise<void> {
    await this.parse(AgentStart);
    const { pid } = await startAgent({ env: process.env, home: clientHome(process.env), program: runningProgram() });
    this.output.stderr.write(`${this.output.style.green("✔")} the local agent runs (process ${pid})\n`);
  }
}
