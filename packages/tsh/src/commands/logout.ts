import { Flags } from "@oclif/core";
import { GatehouseError, escapeLine, systemClock } from "@gatehouse/core/base";
import { chosenProxy, clientHome, listProfiles, logout, requireProfile, type ClientHome, type Profile } from "@gatehouse/core/client";
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
    const profiles = flags.all ? await listProfiles(home) : await this.one(home, flags.proxy);
    let none = flags.all;
    for (const { name, profile } of profiles) {
      const result = await logout(home, process.env, name, profile, systemClock.now());
      const gateway = escapeLine(shortProxy(profile.web_proxy_addr));
      if (!result.wasLoggedIn) {
        if (!flags.all) this.output.stderr.write(`not logged in to ${gateway}\n`);
        continue;
      }
      none = false;
      this.output.stderr.write(`${this.output.style.green("✔")} logged out of ${gateway}\n`);
      if (result.unreached !== undefined) {
        this.output.stderr.write(`  the gateway could not be told (${escapeLine(result.unreached)}): its session runs until the certificates end, but their key is gone from this machine\n`);
      }
    }
    if (none) this.output.stderr.write("not logged in to any gateway\n");
  }

  /** The profile meant. None is nothing to end, and no failure: the same as a logout that is repeated. */
  private async one(home: ClientHome, flag: string | undefined): Promise<readonly { readonly name: string; readonly profile: Profile }[]> {
    try {
      return [await requireProfile(home, process.env, flag)];
    } catch (error) {
      if (!(error instanceof GatehouseError) || error.code !== "unauthenticated") throw error;
      const proxy = await chosenProxy(home, process.env, flag);
      this.output.stderr.write(proxy === undefined ? "not logged in to any gateway\n" : `nothing to log out of: no login to ${escapeLine(shortProxy(proxy))} is kept here\n  tsh status --all lists them\n`);
      return [];
    }
  }
}
