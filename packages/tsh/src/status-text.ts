import { escapeLine } from "@gatehouse/core/base";
import type { LoginRecord } from "@gatehouse/core/client/lean";
import type { Profile } from "@gatehouse/core/client/local-logins";
import { formatFields } from "@gatehouse/core/client/terminal";
import { describeValidity, listNames, shortProxy } from "./text.ts";

/** One login of this machine, as `tsh status` shows it. */
export interface ShownLogin {
  readonly profile: Profile;
  readonly record: LoginRecord | undefined;
  /** The agent gives it to nobody until it is unlocked. */
  readonly locked?: boolean | undefined;
  /** Contexts of its gateway in kubeconfig. */
  readonly contexts: readonly string[];
  /** Whether commands use it where they are told nothing. */
  readonly current: boolean;
  /** Whether another user's login is in use at its gateway. */
  readonly kept: boolean;
  /** The identity file that it is in. */
  readonly file?: string | undefined;
}

function mark({ current, kept, profile }: ShownLogin): string {
  if (current) return "   (current)";
  return kept ? `   (kept; to use it: tsh login --proxy=${shortProxy(profile.web_proxy_addr)} --user=${profile.user ?? ""})` : "";
}

/** Who it is of, as the record says, or the profile where the record is behind a lock. */
function describePerson({ profile, record, locked, file }: ShownLogin): string {
  const name = record?.username ?? (locked === true ? profile.user : undefined);
  return name === undefined ? "nobody" : `${name}   (${file === undefined ? (profile.auth_type ?? "unknown") : "identity file"})`;
}

const keptIn = { keychain: "the keychain", file: "a file", memory: "the local agent's memory" } as const;

/** A login as indented lines. */
export function describeStatus(login: ShownLogin, now: number): string {
  const { profile, record, contexts, kept, file } = login;
  const groups = [...new Set((profile.kube_clusters ?? []).flatMap((cluster) => cluster.groups))].sort();
  const cells: readonly (readonly [string, string])[] = [
    ["gateway", `${shortProxy(profile.web_proxy_addr)}${mark(login)}`],
    ["logged in as", describePerson(login)],
    ...(login.locked === true ? [["locked", "with the local agent; unlock: tsh agent unlock"] as const] : []),
    ...(record
      ? ([
          ["cluster", `${record.cluster}   ${describeValidity(record.expires, now)}`],
          ["roles", listNames(profile.roles ?? [])],
          ...(kept ? [] : [["kubernetes", contexts.length === 0 ? "no contexts in kubeconfig" : `${listNames(groups)}   →  ${listNames(contexts)}`] as const]),
          ["logins", listNames(profile.logins ?? [])],
          ["key kept in", file ?? keptIn[profile.keystore ?? "keychain"]],
        ] as const)
      : []),
  ];
  return formatFields(cells.map(([name, value]) => [name, escapeLine(value)]));
}

/** A login for programs. */
export function statusData({ profile, record, locked, contexts, current, kept, file }: ShownLogin, now: number): Record<string, unknown> {
  return {
    proxy: profile.web_proxy_addr,
    current,
    kept,
    logged_in: record !== undefined && record.expires > now,
    ...(locked === true && { locked, user: profile.user }),
    ...(record && {
      user: record.username,
      auth: profile.auth_type,
      cluster: record.cluster,
      valid_until: new Date(record.expires).toISOString(),
      roles: profile.roles ?? [],
      logins: profile.logins ?? [],
      kubernetes: { contexts: kept ? [] : contexts, clusters: (profile.kube_clusters ?? []).map(({ name, groups, refused }) => ({ name, groups, refused })) },
    }),
    identity_file: file,
    keystore: profile.keystore,
    ca_pin: profile.ca_pin,
  };
}
