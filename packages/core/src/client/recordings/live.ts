import type { AdminClient, SessionItem } from "../../api/index.ts";
import { GatehouseError } from "../../base/index.ts";

/** What runs where, in one line. */
export function describeSession(session: Pick<SessionItem, "kind" | "command"> & Place): string {
  return `${session.kind} ${describePlace(session)} ${commandWords(session)}`.trimEnd();
}

/** What was run, in one line; empty where the kind says it: `sftp`. */
export function commandWords({ kind, command }: { readonly kind: string; readonly command: readonly string[] }): string {
  const words = command.join(" ");
  return words === kind ? "" : words;
}

/** Fields of a session, live or recorded, that say where it runs. */
export type Place = Pick<SessionItem, "proto" | "cluster" | "namespace" | "pod" | "container" | "login" | "node">;

/** `root@web-1`, `prod/payments/web-5d9c/web`. */
export function describePlace({ proto, cluster, namespace, pod, container, login, node }: Place): string {
  return proto === "ssh" ? `${login}@${node}` : [cluster, namespace, pod, ...(container === "" ? [] : [container])].join("/");
}

/** The live session whose id begins so. Throws `not_found`, or `bad_parameter` where there are several. */
export async function findSession(admin: Pick<AdminClient, "sessions">, id: string): Promise<SessionItem> {
  const found = (await admin.sessions()).filter(({ sid }) => sid.startsWith(id.toLowerCase()));
  const [one] = found;
  if (one === undefined || id === "") throw new GatehouseError("not_found", `there is no live session ${JSON.stringify(id)} on this gateway`, { hint: "tctl sessions ls lists them; ended ones: tsh recordings ls" });
  if (found.length > 1) throw new GatehouseError("bad_parameter", `several live sessions begin with ${JSON.stringify(id)}`, { hint: "give more of the id: tctl sessions ls --format=json" });
  return one;
}
