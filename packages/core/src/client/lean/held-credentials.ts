import type { Clock } from "../../base/index.ts";
import { loginAgent } from "./agent-login.ts";
import { formatExecCredential, parseExecInfo } from "./exec-info.ts";
import type { Environment } from "./home.ts";
import { isUsable } from "./record.ts";
import { findProfile } from "./target.ts";

/** What kubectl waits for, where all is well: shorter than what is waited for where it is not. ms. */
const patience = 500;

/**
 * What `tsh kube credentials` answers where the local agent has the login, and no more: it is loaded alone, before anything that has to do with logins that
 * have ended, keystores and errors. Undefined for everything else, failures too: `kubeCredentials` goes the whole way then, and meets them again.
 */
export async function heldCredentials({ env, clock, proxy }: { readonly env: Environment; readonly clock: Clock; readonly proxy: string | undefined }): Promise<string | undefined> {
  try {
    const info = parseExecInfo(env["KUBERNETES_EXEC_INFO"]);
    const { home, name } = await findProfile({ env, proxy });
    const held = await loginAgent(home, env, () => undefined, patience).read(name);
    return isUsable(held, clock.now()) ? formatExecCredential(held, info) : undefined;
  } catch {
    return undefined;
  }
}
