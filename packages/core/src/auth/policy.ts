import { GatehouseError } from "../base/index.ts";
import { parseResource } from "../resources/index.ts";
import { preferenceName } from "./bootstrap.ts";
import type { Context } from "./context.ts";
import { relyingParty, type Policy, type RelyingParty } from "./mfa/index.ts";

/** What the stored preference asks of local users. Throws `internal` where it is missing. */
export async function readPolicy({ store }: Pick<Context, "store">): Promise<Policy> {
  const item = await store.get("cluster_auth_preference", preferenceName);
  const preference = item && parseResource(JSON.parse(item.value));
  if (preference?.kind !== "cluster_auth_preference") throw new GatehouseError("internal", "the cluster's auth preference is missing");
  const { second_factor: secondFactor, webauthn } = preference.spec;
  return { secondFactor, rpId: webauthn?.rp_id };
}

/** Who this cluster's security keys are for; undefined where people reach the gateway by an address. */
export function partyOf(context: Pick<Context, "publicUrls" | "authorities">, policy: Policy): RelyingParty | undefined {
  return relyingParty(policy, context.publicUrls(), context.authorities.clusterName);
}
