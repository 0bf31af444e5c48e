import { Flags } from "@oclif/core";
import { errorMessage, systemClock, systemRandom } from "@gatehouse/core/base";
import { clientHome } from "@gatehouse/core/client";
import { BaseCommand } from "@gatehouse/core/client/command";
import { agentPlace } from "@gatehouse/core/client/local-agent";
import { openLog, runAgent, type AgentLog } from "@gatehouse/agent/daemon";

/** `tsh agent run` */
export class AgentRun extends BaseCommand {
  static override summary = "Run the local agent here, until it is told to stop";
  static override description = `What tsh agent start and the units of tsh agent install run. Says on standard error what it does; --log-file writes that to a file beside its sockets
instead. Where an agent of another version runs it takes over what that one holds.`;
  static override examples = ["<%= config.bin %> agent run"];
  static override flags = {
    "log-file": Flags.boolean({ summary: "Write the log to agent.log beside the sockets, 1 MiB at most" }),
  };

  /** Runs until a signal, another agent, or that nobody needs it. */
  async run(): Promise<void> {
    const { flags } = await this.parse(AgentRun);
    process.title = "tsh agent";
    const home = clientHome(process.env);
    const log = flags["log-file"] ? openLog(agentPlace(process.env, home).log, systemClock, (text) => this.output.stderr.write(`${text}\n`)) : this.onStderr();
    const ending = new AbortController();
    for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.removeAllListeners(signal).on(signal, () => ending.abort());
    process.on("uncaughtException", (error) => {
      // A text that could not be read may be a key, which its error would quote.
      log.write(`ends: ${error instanceof SyntaxError ? error.name : error.stack ?? error.message}`);
      log.close().finally(() => process.exit(1)).catch(() => undefined);
    });
    try {
      await runAgent({ env: process.env, home, clock: systemClock, random: systemRandom, log: (text) => log.write(text), signal: ending.signal });
    } catch (error) {
      if (flags["log-file"]) log.write(`does not run: ${errorMessage(error)}`);
      throw error;
    } finally {
      await log.close();
    }
  }

  private onStderr(): AgentLog {
    return { write: (text) => void this.output.stderr.write(`${text}\n`), close: () => Promise.resolve() };
  }
}
