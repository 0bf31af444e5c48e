import { GatehouseError, limits, type Clock } from "../../base/index.ts";
import { connectAdmin, connectWeb } from "../gateway.ts";
import { newKey } from "../key.ts";
import { readAccount, type Account } from "../kube-access.ts";
import { clientHome, parseProxyAddress, profileName, type Environment, type LoginRecord } from "../lean/index.ts";
import { settleTrust } from "../trust.ts";
import { verifyLogin } from "../verify.ts";
import { canRenew, joinAudience, readJobJwt, type JoinMethod } from "./proof.ts";

/** What joining takes. */
export interface JoinerOptions {
  /** `host[:port]`. */
  readonly proxy: string;
  readonly method: JoinMethod;
  /** Name of the token. */
  readonly token: string;
  readonly jwtFile: string | undefined;
  readonly jwtEnv: string | undefined;
  readonly audience: string | undefined;
  readonly caPin: string | undefined;
  /** ms; an hour where absent. */
  readonly ttl: number | undefined;
  readonly env: Environment;
  readonly clock: Clock;
  readonly notice: (text: string) => void;
}

/** A machine's login: nothing of it is stored. */
export interface Joined {
  readonly record: LoginRecord;
  readonly account: Account;
}

/** Joins, as often as the method allows, with one key that stays in memory. */
export interface Joiner {
  /** Whether a second join can work. */
  readonly renewable: boolean;
  /** Throws what the gateway says, and `unavailable` where the job's JWT is still the one that was used. */
  join(): Promise<Joined>;
}

const hour = 3_600_000;

/** Settles trust in the gateway and makes the key. Throws `usage`, `unavailable`. */
export async function openJoiner(options: JoinerOptions): Promise<Joiner> {
  const { env, method, token, jwtFile, jwtEnv, clock } = options;
  const ttl = options.ttl ?? hour;
  if (!(ttl >= limits.minCertificateTtl && ttl <= hour)) throw new GatehouseError("usage", "a machine's login lasts from 1 minute to 1 hour", { hint: "write --ttl=1h, or in minutes: --ttl=60" });
  const address = parseProxyAddress(options.proxy);
  const trust = await settleTrust({ address, home: clientHome(env), profile: profileName(address), env, pin: options.caPin, prompter: undefined, notice: options.notice });
  const connection = connectWeb(address, trust.authorities);
  const key = await newKey();
  let used: string | undefined;
  return {
    renewable: canRenew({ method, jwtFile }),
    async join() {
      const jwt = await readJobJwt({ method, env, audience: options.audience ?? joinAudience(address), jwtFile, jwtEnv });
      if (jwt !== undefined && jwt === used) throw new GatehouseError("unavailable", "there is no new JWT yet: each one works once");
      const login = await connection.web.join({ method, token, ...(jwt === undefined ? {} : { jwt }), public_key: Buffer.from(key.line).toString("base64"), ttl: Math.round(ttl) });
      used = jwt;
      const record = verifyLogin(login, { privateKey: key.privateKey, privateKeyPem: key.pem, proxy: address.text, user: undefined, now: clock.now(), gatewayNow: connection.gatewayNow() });
      return { record, account: await readAccount(connectAdmin(record), record, undefined) };
    },
  };
}
