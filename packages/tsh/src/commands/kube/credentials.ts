import { Flags } from "@oclif/core";
import { BaseCommand } from "@gatehouse/core/client/command";
import { loginFlags } from "../../command.ts";

/** `tsh kube credentials`, for its help: main runs the command itself without oclif. */
export class KubeCredentials extends BaseCommand {
  static override summary = "Print credentials for kubectl, which runs this itself";
  static override description = `kubeconfig names this command as a credential plugin. It prints the stored certificate as an ExecCredential, without touching the network. Where
the login has ended it opens one login on the terminal, if kubectl allows questions; else it says what to run and exits with code 3. From an identity file it
answers with what is in the file, and asks nobody.`;
  static override examples = [{ description: "What kubeconfig runs", command: "<%= config.bin %> kube credentials --proxy=teleport.example.com" }];
  static override flags = { ...loginFlags, cluster: Flags.string({ summary: "The gateway's cluster, for people who read kubeconfig" }) };

  /** As main does. */
  async run(): Promise<void> {
    await this.parse(KubeCredentials);
    const { credentials } = await import("../../credentials.ts");
    process.exitCode = await credentials(this.argv);
  }
}
