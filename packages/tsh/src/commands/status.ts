import { Flags } from "@oclif/core";
import { GatehouseError, systemClock } from "@gatehouse/core/base";
import { chosenIdentity, clientHome, gatewayOf, isKept, kubeContexts, orderedProfiles, readLogin, requireProfile, type ClientHome, type Profile } from "@gatehouse/core/client";
import { AgentLocked } from "@gatehouse/core/client/local-agent";
import { formatData, type DataFormat } from "@gatehouse/core/client/terminal";
import { formatFlag } from "@gatehouse/core/client/command";
import { AgentCommand } from "../agent-command.ts";
import { loginFlags } from "../command.ts";
import { readIdentity } from "../identity.ts";
import { describeStatus, statusData, type ShownLogin } from "../status-text.ts";
import { shortProxy } from "../text.ts";

/** `tsh status` */
export class Status extends AgentCommand {
  static override summary = "Show who is logged in where, and until when";
  static override description = `Reads this machine alone: the login of the gateway asked about (the current one) first, then every other that is kept here. The exit code is 3 where the
first has no login that is still valid, or the local agent is locked. For programs the first is one object, with the rest in its field others; --all makes a list of them all.`;
  static override examples = ["<%= config.bin %> status", "<%= config.bin %> status --format=json"];
  static override flags = { ...loginFlags, ...formatFlag, all: Flags.boolean({ summary: "Every gateway alike: no exit code 3, and a list for programs", exclusive: ["proxy", "identity"] }) };

  /** Prints the logins. */
  async run(): Promise<void> {
    const { flags } = await this.parse(Status);
    this.wakeAgent(flags.identity);
    const now = systemClock.now();
    const file = flags.all ? undefined : chosenIdentity(process.env, flags.identity);
    if (file !== undefined) return this.identity(file, flags.proxy, flags.format);
    const home = clientHome(process.env);
    const asked = flags.all ? undefined : (await requireProfile(home, process.env, flags.proxy)).name;
    const logins: ShownLogin[] = [];
    for (const { name, profile, current } of await orderedProfiles(home)) {
      if (flags.proxy !== undefined && gatewayOf(name) !== asked) continue;
      const { contexts } = await kubeContexts(process.env, profile.web_proxy_addr);
      const login = { profile, ...(await this.look(home, name, profile)), contexts, current, kept: isKept(name) };
      if (name === asked) logins.unshift(login);
      else logins.push(login);
    }
    const [first, ...others] = logins;
    const active = first?.record !== undefined && first.record.expires > now;
    if (flags.format !== "text") {
      const data = logins.map((login) => statusData(login, now));
      this.output.stdout.write(await formatData(flags.all ? data : { ...data[0], others: data.slice(1) }, flags.format));
    } else {
      const nobody = !flags.all && first !== undefined && !first.record && first.locked !== true;
      const shown = nobody ? others : logins;
      this.output.stdout.write(shown.map((login) => describeStatus(login, now)).join("\n"));
      if (nobody) throw new GatehouseError("unauthenticated", `not logged in to ${shortProxy(first.profile.web_proxy_addr)}`, { hint: `log in: tsh login --proxy=${shortProxy(first.profile.web_proxy_addr)}` });
      if (!first) this.output.stderr.write("not logged in to any gateway\n");
    }
    if (!flags.all && !active) process.exitCode = 3;
  }

  /** What is stored, or that it is behind the agent's lock. */
  private async look(home: ClientHome, name: string, profile: Profile): Promise<Pick<ShownLogin, "record" | "locked">> {
    try {
      return { record: await readLogin(home, process.env, name, profile) };
    } catch (error) {
      if (!(error instanceof AgentLocked)) throw error;
      return { record: undefined, locked: true };
    }
  }

  private async identity(file: string, proxy: string | undefined, format: DataFormat): Promise<void> {
    const now = systemClock.now();
    const found = await readIdentity(file, proxy, now);
    const { contexts } = await kubeContexts(process.env, found.record.proxy);
    const login: ShownLogin = { ...found, contexts, current: false, kept: false, file };
    this.output.stdout.write(format === "text" ? describeStatus(login, now) : await formatData(statusData(login, now), format));
  }
}
