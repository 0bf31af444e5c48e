import { stat } from "node:fs/promises";
import { GatehouseError, describeDuration, escapeLine, type Clock } from "../../base/index.ts";
import { clientHome, parseProxyAddress, profileName, type ClientHome, type Environment } from "./home.ts";
import { withLock } from "./lock.ts";
import { openLogins } from "./logins.ts";
import { currentProfileName, readProfileHead, type ProfileHead } from "./profile-head.ts";
import { isUsable, type LoginRecord } from "./record.ts";
import { openRefusals, type Refusals } from "./refusals.ts";

/** What a stored login is looked for with. */
export interface ObtainOptions {
  readonly env: Environment;
  readonly clock: Clock;
  /** `--proxy`; else `TELEPORT_PROXY`, else the current profile. */
  readonly proxy: string | undefined;
  /** Process that waits for the answer: kubectl, ssh. */
  readonly parent: number;
  /** Whether somebody can be asked to log in now. */
  readonly mayAsk: () => Promise<boolean>;
  /** Logs in to this gateway and stores the result, with everything said on the terminal device. */
  readonly login: (proxy: string, auth: string | undefined) => Promise<void>;
}

/** A login that is good now; or the line to say instead, empty where it has been said. */
export type ObtainedLogin = { readonly record: LoginRecord } | { readonly record: undefined; readonly line: string };

/** A little longer than a login may take, ms. */
const loginWait = 200_000;

interface Target {
  readonly home: ClientHome;
  readonly name: string;
  readonly proxy: string;
  readonly head: ProfileHead | undefined;
}

async function findTarget(options: ObtainOptions): Promise<Target> {
  const home = clientHome(options.env);
  const asked = options.proxy ?? (options.env["TELEPORT_PROXY"] === "" ? undefined : options.env["TELEPORT_PROXY"]);
  const name = asked === undefined ? await currentProfileName(home) : profileName(parseProxyAddress(asked));
  if (name === undefined) throw new GatehouseError("unauthenticated", "not logged in to any gateway", { hint: "log in first: tsh login --proxy=<gateway>" });
  const head = await readProfileHead(home, name);
  const proxy = asked === undefined ? head?.web_proxy_addr : parseProxyAddress(asked).text;
  if (proxy === undefined) throw new GatehouseError("unauthenticated", `the profile ${escapeLine(name)} names no gateway`, { hint: "log in again: tsh login --proxy=<gateway>" });
  return { home, name, proxy, head };
}

/** The address as a person writes it: without the port that is the default one. */
const short = (proxy: string): string => proxy.replace(/:3080$/, "");

function loginCommand(target: Target): string {
  const auth = target.head?.auth_type;
  return `tsh login --proxy=${short(target.proxy)}${auth === undefined ? "" : ` --auth=${auth}`}`;
}

/** One line for whoever ran kubectl: what ended, and what to run. */
function reason(target: Target, record: LoginRecord | undefined, now: number): string {
  const command = loginCommand(target);
  const gateway = short(target.proxy);
  const text =
    record === undefined
      ? `you are not logged in to ${gateway}`
      : record.expires <= now
        ? `your login to ${gateway} ended ${describeDuration(Math.max(1000, now - record.expires))} ago`
        : `your login to ${gateway} ends in ${describeDuration(Math.max(1000, record.expires - now))}`;
  return `tsh: ${escapeLine(text)}; run: ${escapeLine(command)}\n`;
}

async function readLogin(target: Target, env: Environment): Promise<LoginRecord | undefined> {
  const kind = target.head?.keystore;
  if (kind !== "file" && kind !== "keychain") return undefined;
  return openLogins(target.home, kind, env).read(target.name);
}

/** One login for however many wait: who gets the lock logs in, the others find the result. */
async function loginOnce(target: Target, options: ObtainOptions, refusals: Refusals): Promise<LoginRecord | undefined> {
  const fresh = async (): Promise<LoginRecord | undefined> => {
    const record = await readLogin(target, options.env);
    return isUsable(record, options.clock.now()) ? record : undefined;
  };
  const started = Date.now();
  // Forty who wait must not ask the keychain five times a second: the profile, written last, says when to look.
  const written = async (): Promise<number> => (await stat(target.home.profile(target.name)).catch(() => undefined))?.mtimeMs ?? 0;
  const before = await written();
  await withLock(
    target.home.loginLock(target.name),
    {
      wait: loginWait,
      purpose: `log in to ${target.proxy}`,
      giveUp: async () => (await written()) !== before && (await fresh()) !== undefined,
    },
    async () => {
      if ((await fresh()) !== undefined) return;
      if (await refusals.known("login", started)) return;
      try {
        await options.login(target.proxy, target.head?.auth_type);
      } catch (error) {
        await refusals.mark("login", true);
        throw error;
      }
    },
  );
  return fresh();
}

/**
 * The stored login while it is good, without touching the network. Else one login on the terminal where somebody can be asked, for however many wait for
 * it; or the reason, said once per parent process in 30 s.
 */
export async function obtainLogin(options: ObtainOptions): Promise<ObtainedLogin> {
  const target = await findTarget(options);
  const record = await readLogin(target, options.env);
  if (isUsable(record, options.clock.now())) return { record };

  const refusals = openRefusals(target.home.refusals, target.name);
  const parent = `parent-${options.parent}`;
  if (await refusals.known(parent)) return { record: undefined, line: "" };
  try {
    if (await options.mayAsk()) {
      const made = await loginOnce(target, options, refusals);
      if (made) return { record: made };
    }
  } catch (error) {
    await refusals.mark(parent);
    throw error;
  }
  return { record: undefined, line: (await refusals.mark(parent)) ? reason(target, record, options.clock.now()) : "" };
}
