import { GatehouseError } from "../base/index.ts";
import { presetRoles, type AuthPreference } from "../resources/index.ts";
import type { Store } from "../store/index.ts";
import { readUser, toStored, type StoredForm } from "./stored-resources.ts";

/** The one name of the auth preference. */
export const preferenceName = "cluster-auth-preference";

/** Brings what an older version stored of users up to date: it kept them until `metadata.expires` alone. */
async function renewUsers(store: Store): Promise<void> {
  for (const item of await store.list("user")) {
    let form: StoredForm;
    try {
      form = toStored(readUser(item));
    } catch {
      // The snapshot tells of what cannot be read, and lets nobody in by it.
      continue;
    }
    if (form.expires === item.expires) continue;
    try {
      await store.transact([{ op: "put", kind: item.kind, name: item.name, value: item.value, expires: form.expires, expect: item.revision }]);
    } catch (error) {
      // Another gateway, or a login, was faster.
      if (!(error instanceof GatehouseError && error.code === "compare_failed")) throw error;
    }
  }
}

/** Preset roles where they are missing, users as this version keeps them, and the auth preference as the config file has it (reference §11). */
export async function bootstrap(store: Store, preference: AuthPreference["spec"]): Promise<void> {
  for (const role of presetRoles()) {
    const { kind, name, value } = toStored(role);
    try {
      await store.transact([{ op: "put", kind, name, value, expect: "absent" }]);
    } catch (error) {
      if (!(error instanceof GatehouseError && error.code === "already_exists")) throw error;
    }
  }
  await renewUsers(store);
  const wanted = toStored({ kind: "cluster_auth_preference", version: "v2", metadata: { name: preferenceName }, spec: preference });
  const stored = await store.get(wanted.kind, wanted.name);
  if (stored?.value !== wanted.value) await store.transact([{ op: "put", kind: wanted.kind, name: wanted.name, value: wanted.value }]);
}
