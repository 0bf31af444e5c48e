/** The part of the client that `tsh status` waits for: profiles, stored logins and the contexts in kubeconfig, without schema or network code. */
export { requireProfile } from "../profiles.ts";
export type { Profile } from "../profiles.ts";
export { gatewayOf, isKept, orderedProfiles } from "../kept-logins.ts";
export { readLogin } from "../stored-login.ts";
export { kubeContexts } from "../kubeconfig/update.ts";
