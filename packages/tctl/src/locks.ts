import { describeTarget } from "@gatehouse/core/access";
import type { ChangeResponse } from "@gatehouse/core/api";
import { GatehouseError, escapeLine, parseDuration } from "@gatehouse/core/base";
import { formatTable } from "@gatehouse/core/client/terminal";
import { parseResource, type Lock, type LockTarget } from "@gatehouse/core/resources";

/** What the flags of `tctl lock` say. */
export interface LockFlags {
  readonly user?: string | undefined;
  readonly role?: string | undefined;
  readonly login?: string | undefined;
  readonly node?: string | undefined;
  readonly "kube-cluster"?: string | undefined;
  readonly session?: string | undefined;
  readonly ttl?: string | undefined;
  readonly expires?: string | undefined;
  readonly message?: string | undefined;
}

function endOf({ ttl, expires }: LockFlags, now: number): string | undefined {
  if (ttl !== undefined && expires !== undefined) throw new GatehouseError("usage", "--ttl and --expires both say when the lock ends", { hint: "give one of them, or none for a lock that stays until it is removed" });
  if (ttl === undefined) return expires;
  let ms: number;
  try {
    ms = parseDuration(ttl);
  } catch (error) {
    throw new GatehouseError("usage", `--ttl: "${escapeLine(ttl.slice(0, 80))}" is not a duration`, { hint: "write it as 30m, 24h or 1h30m", cause: error });
  }
  const end = new Date(now + Math.ceil(ms));
  if (ms <= 0 || Number.isNaN(end.getTime()) || end.getUTCFullYear() > 9999) {
    throw new GatehouseError("usage", `--ttl: a lock cannot last ${escapeLine(ttl.slice(0, 80))}`, { hint: "leave it out for a lock that stays until it is removed" });
  }
  return end.toISOString().replace(/\.\d+Z$/, "Z");
}

/** The lock that the flags ask for. Throws `usage` for flags that name nothing, or no end that can be; `bad_parameter` for a value that no lock can have. */
export function lockFromFlags(flags: LockFlags, now: number): Lock {
  const { user, role, login, node, "kube-cluster": cluster, session, message } = flags;
  const target = Object.fromEntries(Object.entries({ user, role, login, node, kube_cluster: cluster, session }).filter(([, value]) => value !== undefined));
  if (Object.keys(target).length === 0) {
    throw new GatehouseError("usage", "who or what is to be locked?", { hint: "name it with --user, --role, --login, --node, --kube-cluster or --session; of several all have to match" });
  }
  const expires = endOf(flags, now);
  const value = { kind: "lock", version: "v2", spec: { target, ...(message === undefined ? {} : { message }), ...(expires === undefined ? {} : { expires }) } };
  return parseResource(value) as Lock;
}

const two = (value: number): string => String(value).padStart(2, "0");

/** A moment for people, in this machine's time zone: `18:20` today, `tomorrow 10:15`, `2026-12-01 10:15`. */
export function describeMoment(moment: number, now: number): string {
  const at = new Date(moment);
  const time = `${two(at.getHours())}:${two(at.getMinutes())}`;
  const sameDay = (day: Date): boolean => at.getFullYear() === day.getFullYear() && at.getMonth() === day.getMonth() && at.getDate() === day.getDate();
  const today = new Date(now);
  if (sameDay(today)) return time;
  if (sameDay(new Date(today.getFullYear(), today.getMonth(), today.getDate() + 1))) return `tomorrow ${time}`;
  return `${at.getFullYear()}-${two(at.getMonth() + 1)}-${two(at.getDate())} ${time}`;
}

function nameOf(target: LockTarget): string {
  const only = Object.values(target).filter((value) => value !== undefined).length === 1;
  return only && target.user !== undefined ? escapeLine(target.user) : describeTarget(target);
}

/** `bo is locked until tomorrow 10:15; 2 sessions ended on 1 gateway in 0.2 s` */
export function describeLocking({ spec }: Lock, { streams }: ChangeResponse, now: number, elapsed: number): string {
  const until = spec.expires === undefined ? "until the lock is removed" : `until ${describeMoment(Date.parse(spec.expires), now)}`;
  const ended = streams.ended === 0 ? "no live session was concerned" : `${streams.ended} session${streams.ended === 1 ? "" : "s"} ended on 1 gateway in ${(elapsed / 1000).toFixed(1)} s`;
  return `${nameOf(spec.target)} is locked ${until}; ${ended}`;
}

/** Locks as a table. */
export function lockTable(locks: readonly Lock[]): string {
  return formatTable(
    ["ID", "TARGET", "MESSAGE", "UNTIL", "BY"],
    locks.map(({ metadata, spec }) => [metadata.name, describeTarget(spec.target), spec.message ?? "-", spec.expires ?? "removed", spec.created_by ?? "-"]),
  );
}
