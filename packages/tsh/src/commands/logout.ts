import { Flags } from "@oclif/core";
import { GatehouseError, escapeLine, systemClock } from "@gatehouse/core/base";
import { chosenIdentity, chosenProxy, clientHome, logout, openSession, orderedProfiles, profilesOf, requireProfile, type ClientHome, type NamedProfile, type SessionChoice } from "@gatehouse/core/client";
import { BaseCommand } from "@gatehouse/core/client/command";
import { loginFlags } from "../command.ts";
import { shortProxy } from "../text.ts";

/** `tsh logout` */
export class Logout extends BaseCommand {
  static override summary = "End a login here and at the gateway";
  static override description = `The gateway refuses the login's certificates from now on. Key, certificates and kubeconfig entries are removed; the gateway's address is kept for the
next login. Without --user, of every user whose login at that gateway is kept here. An identity
file's login is ended at the gateway; the file stays, and is worth nothing.`;
  static override examples = ["<%= config.bin %> logout", { description: "One user of a gateway", command: "<%= config.bin %> logout --proxy=teleport.example.com --user=alice" }, { description: "Everywhere", command: "<%= config.bin %> logout --all" }];
  static override flags = {
    ...loginFlags,
    user: Flags.string({ summary: "This user's login alone", helpValue: "<name>", exclusive: ["all", "identity"] }),
    all: Flags.boolean({ summary: "Log out of every gateway", exclusive: ["proxy", "identity"] }),
  };

  /** Logs out of one gateway, or of all. */
  async run(): Promise<void> {
    const { flags } = await this.parse(Logout);
    const home = clientHome(process.env);
    if (!flags.all && chosenIdentity(process.env, flags.identity) !== undefined) return this.identity(flags);
    const meant = flags.all ? await orderedProfiles(home) : await this.ofGateway(home, flags.proxy);
    if (meant === undefined) return;
    const profiles = flags.user === undefined ? meant : meant.filter(({ profile }) => profile.user === flags.user);
    const several = profiles.length > 1 || flags.user !== undefined;
    let none = true;
    for (const { name, profile } of profiles) {
      const result = await logout(home, process.env, name, profile, systemClock.now());
      if (!result.wasLoggedIn) continue;
      none = false;
      const who = several && profile.user !== undefined ? ` as ${escapeLine(profile.user)}` : "";
      this.output.stderr.write(`${this.output.style.green("✔")} logged out of ${escapeLine(shortProxy(profile.web_proxy_addr))}${who}\n`);
      if (result.unreached !== undefined) {
        this.output.stderr.write(`  the gateway could not be told (${escapeLine(result.unreached)}): its session runs until the certificates end, but their key is gone from this machine\n`);
      }
    }
    if (!none) return;
    const gateway = flags.all ? "any gateway" : escapeLine(shortProxy(meant[0]?.profile.web_proxy_addr ?? ""));
    this.output.stderr.write(`not logged in to ${gateway}${flags.user === undefined ? "" : ` as ${escapeLine(flags.user)}`}\n`);
  }

  private async identity(flags: SessionChoice): Promise<void> {
    const { admin, record } = await openSession(process.env, flags, systemClock.now());
    await admin.logout();
    this.output.stderr.write(`${this.output.style.green("✔")} the login of ${escapeLine(record.username)} at ${escapeLine(shortProxy(record.proxy))} has ended: its identity file opens nothing any more\n`);
  }

  /** The logins of the gateway meant; undefined, and said, where there is none: nothing to end is no failure, the same as a logout that is repeated. */
  private async ofGateway(home: ClientHome, flag: string | undefined): Promise<readonly NamedProfile[] | undefined> {
    try {
      return await profilesOf(home, (await requireProfile(home, process.env, flag)).name);
    } catch (error) {
      if (!(error instanceof GatehouseError) || error.code !== "unauthenticated") throw error;
      const proxy = await chosenProxy(home, process.env, flag);
      this.output.stderr.write(proxy === undefined ? "not logged in to any gateway\n" : `nothing to log out of: no login to ${escapeLine(shortProxy(proxy))} is kept here\n  tsh status --all lists them\n`);
      return undefined;
    }
  }
}
