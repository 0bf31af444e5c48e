import { Flags } from "@oclif/core";
import { changeSettings } from "@gatehouse/agent/settings";
import { clientHome } from "@gatehouse/core/client";
import { BaseCommand } from "@gatehouse/core/client/command";
import { startAgent } from "@gatehouse/agent/start";
import { runningProgram } from "../../program.ts";

/** `tsh agent start` */
export class AgentStart extends BaseCommand {
  static override summary = "Start the local agent, where none of this version runs";
  static override description = `Commands do so by themselves, but for CI and where TSH_AGENT=off. The agent ends by itself once it has held nothing for 15 minutes.`;
  static override examples = ["<%= config.bin %> agent start", "<%= config.bin %> agent start --confirm"];
  static override flags = {
    confirm: Flags.boolean({ summary: "Be asked before a login's key signs for ssh, from now on: tsh agent config confirm=true" }),
  };

  /** Starts it, and waits until it answers. */
  async run(): Promise<void> {
    const { flags } = await this.parse(AgentStart);
    const home = clientHome(process.env);
    if (flags.confirm) await changeSettings(home, ["confirm=true"]);
    const { pid } = await startAgent({ env: process.env, home, program: runningProgram() });
    this.output.stderr.write(`${this.output.style.green("✔")} the local agent runs (process ${pid})\n`);
  }
}
