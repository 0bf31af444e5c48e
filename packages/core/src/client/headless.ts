import { hostname, userInfo } from "node:os";
import { headlessLimits, type HeadlessStart, type SshLoginResponse, type WebClient } from "../api/index.ts";
import { GatehouseError, escapeLine } from "../base/index.ts";
import { headlessCode } from "../formats/index.ts";
import { connectAdmin, connectWeb } from "./gateway.ts";
import { readAccount, type Account } from "./kube-access.ts";
import { newKey } from "./key.ts";
import { clientHome, parseProxyAddress, profileName, type LoginRecord } from "./lean/index.ts";
import type { LoginTools } from "./login.ts";
import { readProfile } from "./profiles.ts";
import { startSpinner, type Output } from "./terminal/index.ts";
import { settleTrust, type GatewayTrust } from "./trust.ts";
import { verifyLogin } from "./verify.ts";

/** A login to be approved in a browser elsewhere. */
export interface HeadlessOptions {
  /** `host[:port]`. */
  readonly proxy: string;
  /** Who will approve it: the user of the profile, else the account's name, where absent. */
  readonly user: string | undefined;
  /** ms; the hour that the gateway gives at most, where absent. */
  readonly ttl: number | undefined;
  readonly caPin: string | undefined;
  /** What the page will say that the login is for; empty for a shell. */
  readonly command: string;
}

/** Certificates that nothing has stored. */
export interface HeadlessLogin {
  readonly record: LoginRecord;
  readonly account: Account;
  readonly trust: GatewayTrust;
}

const maxCommand = 1024;
/** ms between polls that were answered at once, and after one that did not reach the gateway. */
const pause = 1000;
const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

/** The account's name here, which is the person's at the gateway more often than not. */
function accountName(): string {
  try {
    return userInfo().username;
  } catch {
    throw new GatehouseError("usage", "who will approve this login?", { hint: "tsh login --headless --user=<name>" });
  }
}

function show(output: Output, start: HeadlessStart, options: HeadlessOptions, user: string, code: string): void {
  const { bold } = output.style;
  const address = start.address.replace(/:\d+$/, "");
  output.stderr.write(`Approve this login as ${bold(escapeLine(user))} (--user names another), in a browser on any machine:

  ${escapeLine(start.url)}

and type this code there:  ${bold(code)}

The page has to show machine ${escapeLine(hostname())}, address ${escapeLine(address)}, and ${options.command === "" ? "a shell" : escapeLine(options.command)}.
`);
}

async function waitForApproval(web: WebClient, { id, poll_secret: secret }: HeadlessStart): Promise<SshLoginResponse> {
  const deadline = performance.now() + headlessLimits.lifetime + 2 * pause;
  const late = (): GatehouseError => new GatehouseError("access_denied", "nobody approved the login within two minutes", { hint: "run it again" });
  for (;;) {
    const asked = performance.now();
    try {
      const outcome = await web.headlessPoll(id, secret);
      if (outcome.state === "approved") return outcome.login;
    } catch (error) {
      if (!(error instanceof GatehouseError)) throw error;
      if (error.code === "not_found") throw late();
      // A gateway that restarts, a network that blinks: the request outlives both.
      if (error.code !== "unavailable" && error.code !== "limit_exceeded") throw new GatehouseError(error.code, `login failed: ${error.message}`, { hint: error.hint, id: error.id, cause: error });
      if (performance.now() > deadline) throw error;
    }
    if (performance.now() > deadline) throw late();
    await sleep(Math.max(0, pause - (performance.now() - asked)));
  }
}

/**
 * Logs in with the help of a browser elsewhere: shows an address and a code, and waits until the same person has typed the code there. The key and the certificates are in
 * memory alone. Throws `access_denied` where the login was refused, or nobody came within two minutes.
 */
export async function headlessLogin(options: HeadlessOptions, tools: LoginTools): Promise<HeadlessLogin> {
  const { output, env, clock } = tools;
  const address = parseProxyAddress(options.proxy);
  const home = clientHome(env);
  const name = profileName(address);
  const user = options.user ?? (await readProfile(home, name))?.user ?? accountName();
  const trust = await settleTrust({ address, home, profile: name, env, pin: options.caPin, prompter: tools.prompter, notice: (text) => output.stderr.write(text) });
  const connection = connectWeb(address, trust.authorities);
  const key = await newKey();
  const ttl = Math.min(options.ttl ?? headlessLimits.maxTtl, headlessLimits.maxTtl);
  const start = await connection.web.headlessStart({ user, public_key: Buffer.from(key.line).toString("base64"), host: hostname().slice(0, 253), command: options.command.slice(0, maxCommand), ttl: ttl * 1_000_000 });
  show(output, start, options, user, headlessCode({ id: start.id, pollSecret: start.poll_secret, publicKey: key.line }));
  const spinner = startSpinner(output, "waiting for the approval …", headlessLimits.lifetime);
  const response = await waitForApproval(connection.web, start).finally(() => spinner.stop());
  const record = verifyLogin(response, { privateKey: key.privateKey, privateKeyPem: key.pem, proxy: address.text, user, now: clock.now(), gatewayNow: connection.gatewayNow() });
  return { record, account: await readAccount(connectAdmin(record), record, undefined), trust };
}
