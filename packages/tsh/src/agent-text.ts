import { describeDuration, escapeLine } from "@gatehouse/core/base";
import type { AgentLogin, AgentStatus } from "@gatehouse/core/client/local-agent";
import { describeTime, formatFields, formatTable } from "@gatehouse/core/client/terminal";
import { describeValidity, shortProxy } from "./text.ts";

function describeRenewal({ renewal, renewsAt }: AgentLogin, now: number): string {
  switch (renewal) {
    case "waiting":
      return renewsAt === undefined ? "renews by itself" : `renews by itself at ${describeTime(renewsAt, now)}`;
    case "retrying":
      return renewsAt === undefined ? "the gateway could not be asked; tries again" : `the gateway could not be asked; tries again at ${describeTime(renewsAt, now)}`;
    case "refused":
      return renewsAt === undefined ? "the gateway refuses to renew it; asks again" : `the gateway refuses to renew it; asks again at ${describeTime(renewsAt, now)}`;
    case "never":
      return "is not renewed";
    case "end":
      return "the session ends then";
  }
}

const megabytes = (bytes: number): string => `${Math.round(bytes / 1024 / 1024)} MiB`;

/** What an agent says of itself, for people. */
export function describeAgent(status: AgentStatus, now: number): string {
  const { pid, version, started, locked, logins, addedKeys, clients, memory, sshSocket, upstream, relogin, idleExit } = status;
  const fields = formatFields(
    [
      ["agent", `process ${pid}, version ${version}, ${megabytes(memory)}, for ${describeDuration(Math.max(1000, now - started))}${clients === 1 ? "" : `, ${clients} clients`}`],
      ["locked", locked ? "yes; to unlock it: tsh agent unlock" : "no"],
      ["ssh", sshSocket],
      ...(upstream === undefined ? [] : [["behind it", upstream] as const]),
      ["added keys", String(addedKeys)],
      ["at the end", relogin === "agent" ? "logs in again in your browser (relogin: agent)" : "asks you to log in (relogin: ask)"],
      ...(idleExit === undefined ? [] : [["ends", `at ${describeTime(idleExit, now)}, if nothing is asked of it`] as const]),
    ].map(([name = "", text = ""]) => [name, escapeLine(text)] as const),
  );
  if (logins.length === 0) return `${fields}\nno login\n`;
  const table = formatTable(
    ["USER", "GATEWAY", "CLUSTER", "KEPT IN", "", ""],
    logins.map((login) => [login.username, shortProxy(login.proxy), login.cluster, login.keystore, describeValidity(login.expires, now), describeRenewal(login, now)]),
  );
  return `${fields}\n${table}`;
}

const time = (ms: number | undefined): string | undefined => (ms === undefined ? undefined : new Date(ms).toISOString());

/** What an agent says of itself, for programs. */
export function agentData(status: AgentStatus): Record<string, unknown> {
  return {
    running: true,
    pid: status.pid,
    version: status.version,
    build: status.build,
    started: time(status.started),
    locked: status.locked,
    logins: status.logins.map(({ profile, proxy, username, cluster, keystore, expires, renewal, renewsAt }) => ({
      profile,
      proxy,
      user: username,
      cluster,
      keystore,
      valid_until: time(expires),
      renewal,
      renews_at: time(renewsAt),
    })),
    added_keys: status.addedKeys,
    clients: status.clients,
    memory_bytes: status.memory,
    ssh_socket: status.sshSocket,
    upstream: status.upstream,
    relogin: status.relogin,
    idle_exit: time(status.idleExit),
  };
}
