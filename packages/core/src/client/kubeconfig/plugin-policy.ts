import { parse } from "yaml";
import { z } from "zod";
import { GatehouseError, errorMessage } from "../../base/index.ts";

const entry = z.object({ name: z.string().optional(), command: z.string().optional() });
const kuberc = z.object({ credentialPluginPolicy: z.string().optional(), credentialPluginAllowlist: z.array(entry).max(1000).nullish() }).nullable();

/** What a kuberc says of credential plugins (KEP-3104): the policy, and the names or paths of those that are allowed. Throws `bad_parameter`. */
export function readPluginPolicy(text: string): { readonly policy: string | undefined; readonly allowed: readonly string[] } {
  try {
    const read = kuberc.parse(parse(text, { maxAliasCount: 0 }));
    return { policy: read?.credentialPluginPolicy, allowed: (read?.credentialPluginAllowlist ?? []).flatMap(({ name, command }) => name ?? command ?? []) };
  } catch (error) {
    throw new GatehouseError("bad_parameter", `kuberc cannot be read: ${errorMessage(error).split("\n", 1)[0] ?? ""}`, { hint: "repair ~/.kube/kuberc", cause: error });
  }
}
