import { Flags } from "@oclif/core";
import { GatehouseError, systemClock } from "@gatehouse/core/base";
import { openSession, writeSshFiles } from "@gatehouse/core/client";
import { agentPlace } from "@gatehouse/core/client/local-agent";
import { sshAgentConfigBlock, sshConfigBlock, sshConfigPath, writeSshConfig } from "@gatehouse/core/client/ssh";
import { AgentCommand } from "../agent-command.ts";
import { loginFlags } from "../command.ts";
import { runningProgram } from "../program.ts";

/** `tsh config` */
export class Config extends AgentCommand {
  static override summary = "Let plain ssh, scp, rsync and git reach hosts through the gateway";
  static override description = `Prints the lines for ~/.ssh/config, or keeps them there: with --write, between two marks and before your own lines, as often as you like. Hosts are then
reached by name and cluster, such as web-1.example, with nothing else to set up: the certificate for each connection comes from the gateway, and hosts are believed by theirs.`;
  static override examples = ["<%= config.bin %> config --write", { description: "For hosts by their short names too", command: "<%= config.bin %> config --write --host='web-*'" }, "<%= config.bin %> config >> ~/.ssh/config"];
  static override flags = {
    ...loginFlags,
    port: Flags.integer({ summary: "Port of the hosts; else the one that each is registered with", min: 1, max: 65_535 }),
    host: Flags.string({ summary: "Reach hosts of this pattern too, besides *.<cluster>", helpValue: "<pattern>", multiple: true, multipleNonGreedy: true }),
    agent: Flags.boolean({ summary: "With the keys of the local agent, and no tsh for each connection: where sessions are recorded", exclusive: ["identity"] }),
    write: Flags.boolean({ summary: "Keep the lines in ~/.ssh/config", exclusive: ["remove"] }),
    remove: Flags.boolean({ summary: "Take them out of ~/.ssh/config" }),
  };

  /** Prints or writes the block. */
  async run(): Promise<void> {
    const { flags } = await this.parse(Config);
    this.wakeAgent(flags.identity);
    const { green } = this.output.style;
    if (process.platform === "win32") throw new GatehouseError("not_implemented", "tsh config does not know Windows' ssh yet", { hint: "tsh ssh works there" });
    const { home, record, identity } = await openSession(process.env, flags, systemClock.now());
    const { name, knownHosts } = await writeSshFiles(home, record, runningProgram());
    const hosts = [`*.${record.cluster}`, ...(flags.host ?? [])];
    const shared = { name, proxy: record.proxy, hosts, knownHosts, port: flags.port };
    const block = flags.agent
      ? sshAgentConfigBlock({ ...shared, agent: agentPlace(process.env, home).ssh })
      : sshConfigBlock({ ...shared, launcher: home.launcher, agents: home.sshAgents, identity });
    if (!flags.write && !flags.remove) {
      this.output.stdout.write(block);
      return;
    }
    const file = sshConfigPath(process.env);
    const changed = await writeSshConfig(file, name, flags.remove ? undefined : block);
    if (flags.remove) this.output.stderr.write(changed ? `${green("✔")} removed from ${file}\n` : `nothing of this gateway is in ${file}\n`);
    else this.output.stderr.write(`${green("✔")} ${changed ? "" : "already in "}${file}${changed ? " is written" : ""}: ssh <host>.${record.cluster}\n`);
  }
}
