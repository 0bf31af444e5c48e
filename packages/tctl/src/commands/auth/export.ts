import { Flags } from "@oclif/core";
import { GatehouseError } from "@gatehouse/core/base";
import { formatData } from "@gatehouse/core/client/terminal";
import { TctlCommand, connectFlags } from "../../command.ts";

const kinds = ["user", "host", "openssh"] as const;

/** `tctl auth export` */
export class AuthExport extends TctlCommand {
  static override summary = "Print the public keys of the certificate authorities";
  static override description =
    "user signs people's certificates, for gateways alone; openssh signs those that hosts trust (sshd's TrustedUserCAKeys); host signs hosts and gateways (lines for known_hosts).";
  static override examples = ["<%= config.bin %> auth export --type=openssh > trusted_user_ca.pub", "<%= config.bin %> auth export --type=host --format=pem > ca.pem"];
  static override flags = {
    ...connectFlags,
    type: Flags.string({ options: [...kinds], summary: "One authority; else user and host" }),
    format: Flags.string({ options: ["openssh", "pem", "json"], default: "openssh", summary: "SSH lines, X.509 certificates, or both with fingerprints" }),
    fingerprint: Flags.boolean({ summary: "Print the fingerprints of the SSH keys instead", exclusive: ["format"] }),
  };

  /** Prints what the flags ask for. */
  async run(): Promise<void> {
    const { flags } = await this.parse(AuthExport);
    const admin = await this.connect(flags);
    const chosen = flags.type === undefined ? (["user", "host"] as const) : [flags.type];
    const exported = await Promise.all(chosen.map(async (type) => ({ type, ...(await admin.exportAuthority(type)) })));
    if (flags.format === "json" && !flags.fingerprint) {
      this.output.stdout.write(await formatData(exported, "json"));
      return;
    }
    const lines = exported.flatMap(({ ssh, tls, fingerprints }) => (flags.fingerprint ? fingerprints : flags.format === "pem" ? tls : ssh));
    if (lines.length === 0) throw new GatehouseError("not_found", `the ${chosen.join(" and ")} authority has no X.509 certificate: it signs SSH certificates alone`);
    this.output.stdout.write(lines.map((line) => `${line.trimEnd()}\n`).join(""));
  }
}
