import { Args, Flags } from "@oclif/core";
import { BaseCommand } from "@gatehouse/core/client/command";
import { loginFlags } from "../../command.ts";

/** `tsh proxy ssh`, for its help: main runs the command itself without oclif. */
export class ProxySsh extends BaseCommand {
  static override summary = "Carry one SSH connection to a host, which ssh runs itself";
  static override description = `What tsh config names as ProxyCommand. Connects to a host through the gateway and copies standard input and output. Where the host wants a certificate, a new one
for this connection is offered to ssh by an agent at --agent-path, before the keys of the agent in SSH_AUTH_SOCK. Where the login has ended it opens one login
on the terminal, or says what to run and exits with code 3.`;
  static override examples = [{ description: "What ssh runs", command: "<%= config.bin %> proxy ssh --login=root --agent-path=~/.tsh/ssh/root@web-1.example:22 web-1.example:22" }];
  static override args = { target: Args.string({ ignoreStdin: true, required: true, description: "[login@]host[:port]" }) };
  static override flags = {
    ...loginFlags,
    login: Flags.string({ summary: "The account on the host; else that of the target, else your own name", helpValue: "<name>" }),
    "agent-path": Flags.string({ summary: "Where ssh looks for an agent, its IdentityAgent", helpValue: "<path>" }),
  };

  /** As main does. */
  async run(): Promise<void> {
    await this.parse(ProxySsh);
    const { proxySsh } = await import("../../proxy-ssh.ts");
    process.exitCode = await proxySsh(this.argv);
  }
}
