import { Flags } from "@oclif/core";
import { escapeLine, systemClock } from "@gatehouse/core/base";
import { clientHome, listProfiles, logout, requireProfile } from "@gatehouse/core/client";
import { BaseCommand } from "@gatehouse/core/client/command";
import { proxyFlag } from "../command.ts";
import { shortProxy } from "../text.ts";

/** `tsh logout` */
export class Logout extends BaseCommand {
  static override summary = "End a login here and at the gateway";
  static override description = "The gateway refuses the login's certificates from now on. Key, certificates and kubeconfig entries are removed; the gateway's address is kept for the next login.";
  static override examples = ["<%= config.bin %> logout", { description: "Everywhere", command: "<%= config.bin %> logout --all" }];
  static override flags = { ...proxyFlag, all: Flags.boolean({ summary: "Log out of every gateway", exclusive: ["proxy"] }) };

  /** Logs out of one gateway, or of all. */
  async run(): Promise<void> {
    const { flags } = await this.parse(Logout);
    const home = clientHome(process.env);
    const profiles = flags.all ? await listProfiles(home) : [await requireProfile(home, process.env, flags.proxy)];
    for (const { name, profile } of profiles) {
      const result = await logout(home, process.env, name, profile, systemClock.now());
      const gateway = escapeLine(shortProxy(profile.web_proxy_addr));
      if (!result.wasLoggedIn) {
        if (!flags.all) this.output.stderr.write(`not logged in to ${gateway}\n`);
        continue;
      }
      this.output.stderr.write(`${this.output.style.green("✔")} logged out of ${gateway}\n`);
      if (result.unreached !== undefined) {
        this.output.stderr.write(`  the gateway could not be told (${escapeLine(result.unreached)}): its session runs until the certificates end, but their key is gone from this machine\n`);
      }
    }
  }
}
