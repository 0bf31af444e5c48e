import type { LoggedEvent } from "@gatehouse/core/api";

/** Columns of {@link eventRow}. */
export const eventHeader = ["TIME", "EVENT", "USER", "WHAT"] as const;

/** What says most about an event, in this order; the rest is in its JSON. */
const telling = [
  "method", "verb", "kind", "name", "path", "command", "kubernetes_cluster", "kubernetes_namespace", "kubernetes_pod", "kubernetes_container",
  "login", "server_hostname", "addr", "action", "target", "session_user", "mode", "sid", "status", "response_code", "reason", "message", "error", "exitError", "seq", "id",
] as const;
const maxValue = 200;

const textOf = (value: unknown): string => {
  const text = typeof value === "string" ? value : JSON.stringify(value);
  return text.length > maxValue ? `${text.slice(0, maxValue)}…` : text;
};

/** An event as a row for people: unescaped. */
export function eventRow(event: LoggedEvent): string[] {
  const what = telling.flatMap((name) => (event[name] === undefined || event[name] === null || event[name] === "" ? [] : [`${name}=${textOf(event[name])}`]));
  return [event.time ?? "-", event.event, typeof event["user"] === "string" ? event["user"] : "-", what.join(" ")];
}
