import { stat } from "node:fs/promises";
import { GatehouseError, describeDuration, escapeLine, type Clock } from "../../base/index.ts";
import { formatExecCredential, parseExecInfo, type ExecInfo } from "./exec-info.ts";
import { readIdentityFile } from "./identity-file.ts";
import { clientHome, parseProxyAddress, profileName, type ClientHome, type Environment } from "./home.ts";
import { withLock } from "./lock.ts";
import { openLogins } from "./logins.ts";
import { currentProfileName, readProfileHead, type ProfileHead } from "./profile-head.ts";
import { isUsable, type LoginRecord } from "./record.ts";
import { openRefusals, type Refusals } from "./refusals.ts";

/** What the credentials of a login are asked with. */
export interface CredentialsOptions {
  readonly env: Environment;
  readonly clock: Clock;
  /** `--proxy`; else `TELEPORT_PROXY`, else the current profile. */
  readonly proxy: string | undefined;
  /** Identity file to answer from, absolute; undefined for one's own login. */
  readonly identity?: string | undefined;
  /** Process that waits for the answer: kubectl. */
  readonly parent: number;
  /** Whether a terminal can be asked, apart from what kubectl says. */
  readonly hasTerminal: () => Promise<boolean>;
  /** Whether the person ran this by hand on a terminal. */
  readonly stdinIsTerminal: () => boolean;
  /** Logs in to this gateway and stores the result, with everything said on the terminal device. */
  readonly login: (proxy: string, auth: string | undefined) => Promise<void>;
}

/** What to print and how to end. */
export interface CredentialsAnswer {
  readonly stdout: string;
  readonly stderr: string;
  readonly exitCode: number;
}

/** A little longer than a login may take, ms. */
const loginWait = 200_000;

interface Target {
  readonly home: ClientHome;
  readonly name: string;
  readonly proxy: string;
  readonly head: ProfileHead | undefined;
}

async function findTarget(options: CredentialsOptions): Promise<Target> {
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

async function mayAsk(info: ExecInfo | undefined, options: CredentialsOptions): Promise<boolean> {
  return (info === undefined ? options.stdinIsTerminal() : info.interactive) && (await options.hasTerminal());
}

/** One login for however many wait: who gets the lock logs in, the others find the result. */
async function loginOnce(target: Target, options: CredentialsOptions, refusals: Refusals): Promise<LoginRecord | undefined> {
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

/** The certificate of an identity file: whoever made the file renews it, so nobody is asked to log in. What is wrong is told once per parent process in 30 s. */
async function fromIdentity(path: string, info: ExecInfo | undefined, options: CredentialsOptions): Promise<CredentialsAnswer> {
  const refusals = openRefusals(clientHome(options.env).refusals, "identity");
  const parent = `parent-${options.parent}`;
  try {
    const record = await readIdentityFile(path, { env: options.env, proxy: options.proxy, now: options.clock.now() });
    return { stdout: formatExecCredential(record, info), stderr: "", exitCode: 0 };
  } catch (error) {
    if (!(error instanceof GatehouseError) || (await refusals.mark(parent))) throw error;
    return { stdout: "", stderr: "", exitCode: error.exitCode };
  }
}

/**
 * What `tsh kube credentials` answers kubectl: the stored certificate while it is good, without touching the network. Else one login on the
 * terminal where kubectl allows questions and there is a terminal, or a refusal with exit code 3, said once per parent process in 30 s.
 */
export async function kubeCredentials(options: CredentialsOptions): Promise<CredentialsAnswer> {
  const info = parseExecInfo(options.env["KUBERNETES_EXEC_INFO"]);
  if (options.identity !== undefined) return fromIdentity(options.identity, info, options);
  const target = await findTarget(options);
  const record = await readLogin(target, options.env);
  const answer = (good: LoginRecord): CredentialsAnswer => ({ stdout: formatExecCredential(good, info), stderr: "", exitCode: 0 });
  if (isUsable(record, options.clock.now())) return answer(record);

  const refusals = openRefusals(target.home.refusals, target.name);
  const parent = `parent-${options.parent}`;
  const silent = { stdout: "", stderr: "", exitCode: 3 };
  if (await refusals.known(parent)) return silent;
  try {
    if (await mayAsk(info, options)) {
      const made = await loginOnce(target, options, refusals);
      if (made) return answer(made);
    }
  } catch (error) {
    await refusals.mark(parent);
    throw error;
  }
  return (await refusals.mark(parent)) ? { ...silent, stderr: reason(target, record, options.clock.now()) } : silent;
}
