import { Flags } from "@oclif/core";
import { startAgent } from "@gatehouse/agent/start";
import { clientHome } from "@gatehouse/core/client";
import { BaseCommand } from "@gatehouse/core/client/command";
import { agentPlace } from "@gatehouse/core/client/local-agent";
import { runningProgram } from "../../program.ts";
import { guessShell, setVariable, shells, type ShellName } from "../../shell-text.ts";

/** `tsh agent env` */
export class AgentEnv extends BaseCommand {
  static override summary = "Print what lets ssh, git and rsync find the local agent";
  static override description = `For eval: sets SSH_AUTH_SOCK, and starts the agent where none runs. The agent offers the certificates of all your logins, and then the keys of the agent that
SSH_AUTH_SOCK led to before; where there was none it keeps the keys that ssh-add brings itself.`;
  static override examples = [
    { description: "In sh, bash and zsh", command: 'eval "$(<%= config.bin %> agent env)"' },
    { description: "In fish", command: "<%= config.bin %> agent env --shell=fish | source" },
  ];
  static override flags = {
    shell: Flags.string({ summary: "Shell to write for; else the one in SHELL", options: [...shells] }),
  };

  /** Starts the agent, which is told of the one before, and prints. */
  async run(): Promise<void> {
    const { flags } = await this.parse(AgentEnv);
    const home = clientHome(process.env);
    await startAgent({ env: process.env, home, program: runningProgram() });
    this.output.stdout.write(setVariable((flags.shell as ShellName | undefined) ?? guessShell(process.env), "SSH_AUTH_SOCK", agentPlace(process.env, home).ssh));
  }
}
