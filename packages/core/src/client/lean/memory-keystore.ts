import { GatehouseError } from "../../base/index.ts";
import { agentIsOff, agentPlace, askAgent } from "../local-agent/index.ts";
import type { ClientHome, Environment } from "./home.ts";
import type { Keystore } from "./keystore.ts";

const elsewhere = "keep the login elsewhere: tsh login --keystore=keychain, or --keystore=file";

/**
 * The local agent's memory, asked over its socket. Nothing is in it where no agent runs. Throws `not_found` where something is to be kept and nobody is there to keep it, `usage` where the environment turns the agent off,
 * and what the agent refuses with.
 */
export function memoryKeystore(home: ClientHome, env: Environment): Keystore {
  const place = agentPlace(env, home);
  const off = agentIsOff(env);
  return {
    async getPassword(account) {
      return off ? undefined : ((await askAgent(place, "secret-get", { account }))?.text ?? undefined);
    },
    async setPassword(account, text) {
      if (off) throw new GatehouseError("usage", "the keystore memory is the local agent's, which TSH_AGENT=off turns off", { hint: elsewhere });
      if ((await askAgent(place, "secret-set", { account, text })) === undefined) throw new GatehouseError("not_found", "the keystore memory is the local agent's, and none runs", { hint: `start it: tsh agent start; or ${elsewhere}` });
    },
    async deletePassword(account) {
      return off ? false : ((await askAgent(place, "secret-delete", { account }))?.removed ?? false);
    },
  };
}
