import { GatehouseError, type Clock, type Random } from "@gatehouse/core/base";
import { isUsable, readProfileHead, withLock, type ClientHome, type Environment } from "@gatehouse/core/client/lean";
import { agentLimits } from "@gatehouse/core/client/local-agent";

/** What a login from the agent is made with. */
export interface BrowserLoginTools {
  readonly env: Environment;
  readonly home: ClientHome;
  readonly clock: Clock;
  readonly random: Random;
  /** What the launcher runs. */
  readonly program: { readonly node: string; readonly script: string };
  /** The end of the login that is stored now, ms since the epoch. */
  readonly expires: (profile: string) => Promise<number | undefined>;
}

/** Why no browser can be shown to the person from here; undefined where one can. */
export async function browserObstacle(env: Environment): Promise<string | undefined> {
  const { gatherFacts, placeOf } = await import("@gatehouse/core/client");
  const { kind } = placeOf(await gatherFacts(env));
  return kind === "desktop" || kind === "wsl" ? undefined : "the agent was started where there is no desktop to open a browser on";
}

/**
 * Logs in as the profile says through the browser of the agent's environment, unless somebody else who holds the profile's login lock does. What the gateway
 * is believed by is what the profile was pinned to: nobody can be asked. Throws why there is no login.
 */
export async function browserLogin(profile: string, tools: BrowserLoginTools): Promise<void> {
  const { env, home, clock, random, program, expires } = tools;
  const head = await readProfileHead(home, profile);
  const proxy = head?.web_proxy_addr;
  if (head === undefined || proxy === undefined) throw new GatehouseError("unauthenticated", "there is no such profile");
  const fresh = async (): Promise<boolean> => {
    const end = await expires(profile);
    return end !== undefined && isUsable({ expires: end }, clock.now());
  };
  const [{ embedsEntries, login, readProfile }, { plainStyle }] = await Promise.all([import("@gatehouse/core/client"), import("@gatehouse/core/client/terminal")]);
  const { keystore } = (await readProfile(home, profile)) ?? {};
  const sink = { write: () => undefined, isTTY: false };
  await withLock(home.loginLock(profile), { wait: agentLimits.loginTime, purpose: `log in to ${proxy}`, giveUp: fresh }, async () => {
    if (await fresh()) return;
    await login(
      {
        proxy,
        auth: head.auth_type,
        user: undefined,
        password: () => Promise.reject(new GatehouseError("unauthenticated", "nobody can be asked for a password here")),
        otp: undefined,
        // The gateway's own page asks for a local account's password.
        mfa: head.auth_type === "local" ? "browser" : undefined,
        ttl: undefined,
        caPin: undefined,
        browser: undefined,
        bindAddress: env["TELEPORT_LOGIN_BIND_ADDR"],
        keystore,
        embed: await embedsEntries(env, proxy),
        unattended: true,
      },
      { env, clock, random, output: { stdout: sink, stderr: sink, style: plainStyle, animated: false }, prompter: undefined, program },
    );
  });
}
