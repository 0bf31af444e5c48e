import { clientHome, refreshLauncher } from "@gatehouse/core/client";
import { BaseCommand } from "@gatehouse/core/client/command";
import { installService, planService, uninstallService, type ServicePlan } from "@gatehouse/agent/install";
import { runningProgram } from "../../program.ts";

function plan(): ServicePlan {
  const home = clientHome(process.env);
  return planService(process.platform, { env: process.env, home, launcher: home.launcher, uid: process.getuid?.() });
}

/** `tsh agent install` */
export class AgentInstall extends BaseCommand {
  static override summary = "Let the system start the local agent at every login of yours";
  static override description = `By systemd on Linux, launchd on macOS, the task scheduler on Windows. It is not needed: commands start the agent by themselves. It is there for those whose first
program of the day is ssh.`;
  static override examples = ["<%= config.bin %> agent install"];

  /** Writes what the system reads, and tells it. */
  async run(): Promise<void> {
    await this.parse(AgentInstall);
    const service = plan();
    // One of an earlier version may be there, or none.
    await refreshLauncher(clientHome(process.env), runningProgram());
    await installService(service);
    this.output.stderr.write(`${this.output.style.green("✔")} ${service.system} starts the local agent from your next login on${service.file ? `   (${service.file.path})` : ""}\n  now: tsh agent start\n`);
  }
}

/** `tsh agent uninstall` */
export class AgentUninstall extends BaseCommand {
  static override summary = "Take back what tsh agent install did";
  static override description = "An agent that runs goes on until tsh agent stop.";
  static override examples = ["<%= config.bin %> agent uninstall"];

  /** Tells the system, and removes what it read. */
  async run(): Promise<void> {
    await this.parse(AgentUninstall);
    const service = plan();
    await uninstallService(service);
    this.output.stderr.write(`${this.output.style.green("✔")} ${service.system} no longer starts the local agent\n`);
  }
}
