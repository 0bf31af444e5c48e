import { Flags } from "@oclif/core";
import { GatehouseError, escapeLine, systemClock } from "@gatehouse/core/base";
import { clientHome, currentProfileName, kubeContexts, listProfiles, readLogin, requireProfile, type LoginRecord, type Profile } from "@gatehouse/core/client";
import { formatData, formatFields } from "@gatehouse/core/client/terminal";
import { BaseCommand, formatFlag } from "@gatehouse/core/client/command";
import { proxyFlag } from "../command.ts";
import { describeValidity, listNames, shortProxy } from "../text.ts";

interface Login {
  readonly profile: Profile;
  readonly record: LoginRecord | undefined;
  readonly contexts: readonly string[];
  readonly current: boolean;
}

/** `tsh status` */
export class Status extends BaseCommand {
  static override summary = "Show who is logged in where, and until when";
  static override description = "Reads this machine alone. The exit code is 3 where the gateway asked about (the current one) has no login that is still valid.";
  static override examples = ["<%= config.bin %> status", "<%= config.bin %> status --format=json"];
  static override flags = { ...proxyFlag, ...formatFlag, all: Flags.boolean({ summary: "Every gateway, not the current one alone", exclusive: ["proxy"] }) };

  /** Prints the logins. */
  async run(): Promise<void> {
    const { flags } = await this.parse(Status);
    const home = clientHome(process.env);
    const now = systemClock.now();
    const current = await currentProfileName(home);
    const profiles = flags.all ? await listProfiles(home) : [await requireProfile(home, process.env, flags.proxy)];
    const logins: Login[] = [];
    for (const { name, profile } of profiles) {
      const { contexts } = await kubeContexts(process.env, profile.web_proxy_addr);
      logins.push({ profile, record: await readLogin(home, process.env, name, profile), contexts, current: name === current });
    }
    const [first] = logins;
    if (!flags.all && first && !first.record && flags.format === "text") {
      throw new GatehouseError("unauthenticated", `not logged in to ${shortProxy(first.profile.web_proxy_addr)}`, { hint: `log in: tsh login --proxy=${shortProxy(first.profile.web_proxy_addr)}` });
    }
    if (!first && flags.format === "text") this.output.stderr.write("not logged in to any gateway\n");
    const data = logins.map((login) => statusData(login, now));
    if (flags.format === "text") this.output.stdout.write(logins.map((login) => describe(login, now)).join("\n"));
    else this.output.stdout.write(await formatData(flags.all ? data : data[0], flags.format));
    if (!flags.all && !(first?.record && first.record.expires > now)) process.exitCode = 3;
  }
}

function describe({ profile, record, contexts, current }: Login, now: number): string {
  const groups = [...new Set((profile.kube_clusters ?? []).flatMap((cluster) => cluster.groups))].sort();
  const cells: readonly (readonly [string, string])[] = [
    ["gateway", `${shortProxy(profile.web_proxy_addr)}${current ? "   (current)" : ""}`],
    ["logged in as", record ? `${record.username}   (${profile.auth_type ?? "unknown"})` : "nobody"],
    ...(record
      ? ([
          ["cluster", `${record.cluster}   ${describeValidity(record.expires, now)}`],
          ["roles", listNames(profile.roles ?? [])],
          ["kubernetes", contexts.length === 0 ? "no contexts in kubeconfig" : `${listNames(groups)}   →  ${listNames(contexts)}`],
          ["logins", listNames(profile.logins ?? [])],
          ["key kept in", profile.keystore === "file" ? "a file" : "the keychain"],
        ] as const)
      : []),
  ];
  return formatFields(cells.map(([name, value]) => [name, escapeLine(value)]));
}

function statusData({ profile, record, contexts, current }: Login, now: number): Record<string, unknown> {
  return {
    proxy: profile.web_proxy_addr,
    current,
    logged_in: record !== undefined && record.expires > now,
    ...(record && {
      user: record.username,
      auth: profile.auth_type,
      cluster: record.cluster,
      valid_until: new Date(record.expires).toISOString(),
      roles: profile.roles ?? [],
      logins: profile.logins ?? [],
      kubernetes: { contexts, clusters: (profile.kube_clusters ?? []).map(({ name, groups, refused }) => ({ name, groups, refused })) },
    }),
    keystore: profile.keystore,
    ca_pin: profile.ca_pin,
  };
}
