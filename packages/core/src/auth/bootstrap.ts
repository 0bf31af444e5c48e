import { GatehouseError } from "../base/index.ts";
import { presetRoles, type AuthPreference } from "../resources/index.ts";
import type { Store } from "../store/index.ts";
import { toStored } from "./stored-resources.ts";

/** The one name of the auth preference. */
export const preferenceName = "cluster-auth-preference";

/** Preset roles where they are missing, and the auth preference as the config file has it (reference §11). */
export async function bootstrap(store: Store, preference: AuthPreference["spec"]): Promise<void> {
  for (const role of presetRoles()) {
    const { kind, name, value } = toStored(role);
    try {
      await store.transact([{ op: "put", kind, name, value, expect: "absent" }]);
    } catch (error) {
      if (!(error instanceof GatehouseError && error.code === "already_exists")) throw error;
    }
  }
  const wanted = toStored({ kind: "cluster_auth_preference", version: "v2", metadata: { name: preferenceName }, spec: preference });
  const stored = await store.get(wanted.kind, wanted.name);
  if (stored?.value !== wanted.value) await store.transact([{ op: "put", kind: wanted.kind, name: wanted.name, value: wanted.value }]);
}
