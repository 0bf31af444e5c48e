import type { z } from "zod";
import { loginFailure, sshLoginResponse, type SshLoginResponse, type WebClient } from "../api/index.ts";
import { GatehouseError, errorMessage, escapeLine, limits, type ErrorCode, type Random } from "../base/index.ts";
import { open } from "../formats/index.ts";
import { openBrowser } from "./browser.ts";
import { linkAdvice, noBrowserReason } from "./browser-advice.ts";
import type { Environment } from "./lean/index.ts";
import { startLoopback, type CallbackQuery, type Verdict } from "./loopback.ts";
import type { Place } from "./surroundings.ts";
import { startSpinner, type Output } from "./terminal/index.ts";

/** How a way through the browser and back goes. */
export interface BrowserTrip {
  /** The gateway as people write it, where the trip is a login that can be made without a browser here. */
  readonly proxy?: string | undefined;
  /** What people call the provider. */
  readonly display: string;
  readonly env: Environment;
  readonly place: Place;
  readonly output: Output;
  readonly random: Random;
  /** `none`, or a program to open the link with; the system's where absent. */
  readonly browser: string | undefined;
  readonly bindAddress: string | undefined;
  /** The gateway's page (`/web/msg/info/…`) that the browser ends on where an answer came; `login_success` where absent. */
  readonly donePage?: "test_done" | undefined;
  /** Nobody reads the link: a browser that cannot be started is the end. */
  readonly unattended?: boolean | undefined;
  /** ms to wait for the browser; 180 s where absent. */
  readonly wait?: number | undefined;
}

/** How a browser login goes. */
export interface SsoOptions extends BrowserTrip {
  readonly web: WebClient;
  /** `local`: the way is chosen on the gateway's own login page, and `connector` is empty. */
  readonly kind: "github" | "oidc" | "saml" | "local";
  readonly connector: string;
  /** `authorized_keys` line. */
  readonly publicKey: string;
  /** ms. */
  readonly ttl: number;
}

const keyLength = 32;
const codes: readonly ErrorCode[] = ["bad_parameter", "unauthenticated", "access_denied", "not_found", "already_exists", "compare_failed", "limit_exceeded", "not_implemented", "unavailable", "internal"];

function failure(plain: string): GatehouseError {
  const told = loginFailure.parse(JSON.parse(plain));
  const code = codes.find((known) => known === told.code) ?? "access_denied";
  return new GatehouseError(code, `login failed: ${told.message}`, { hint: told.hint, id: told.id });
}

/** Opens what the browser brought: only the gateway that has this login's key can have sealed it. */
function judge<T>(key: Uint8Array, schema: z.ZodType<T>, query: CallbackQuery): Verdict<T> {
  let plain: string;
  try {
    plain = open(key, query.error ?? query.response ?? "").toString("utf8");
  } catch {
    return { kind: "stray" };
  }
  try {
    return query.error === undefined ? { kind: "good", value: schema.parse(JSON.parse(plain)) } : { kind: "bad", error: failure(plain) };
  } catch (error) {
    return { kind: "bad", error: new GatehouseError("internal", "login failed: the gateway's answer cannot be read", { cause: error }) };
  }
}

function checkTarget(text: string): string {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (!url || (url.protocol !== "https:" && !(url.protocol === "http:" && /^(127(\.\d{1,3}){3}|localhost|\[::1\])$/.test(url.hostname)))) {
    throw new GatehouseError("internal", "the gateway named a login page that is not an https address");
  }
  return url.href;
}

async function within<T>(promise: Promise<T>, ms: number, late: () => GatehouseError): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  try {
    return await Promise.race([promise, new Promise<never>((_resolve, reject) => (timer = setTimeout(() => reject(late()), ms)))]);
  } finally {
    clearTimeout(timer);
  }
}

/**
 * Brings the link to the person: through a browser where one can be started, with what to do about it where not. Throws `unauthenticated` where there is neither a
 * browser nor anybody to read the link, rather than wait for nothing.
 */
async function showLink(options: BrowserTrip, shortUrl: string): Promise<void> {
  const { output, browser, env, place } = options;
  const advice = linkAdvice(place, { url: shortUrl, proxy: options.proxy });
  if (browser === "none") {
    output.stderr.write(`Open this link in a browser on this machine:\n  ${shortUrl}\n${advice}`);
    return;
  }
  const chosen = browser !== undefined || (env["BROWSER"] ?? "") !== "";
  const reason = chosen ? undefined : noBrowserReason(place);
  if (reason !== undefined && output.stderr.isTTY !== true) {
    throw new GatehouseError("unauthenticated", `no browser can be started: ${reason}, and there is no terminal to show the link on`, {
      hint: `--browser=none prints the link all the same${options.proxy === undefined ? "" : "; --headless approves the login in a browser elsewhere"}`,
    });
  }
  if (reason === undefined) {
    output.stderr.write(`If the browser does not open, visit:\n  ${shortUrl}\n`);
    const problem = await openBrowser(shortUrl, env, browser, place);
    if (problem !== undefined && options.unattended === true) throw new GatehouseError("unauthenticated", `the browser could not be started: ${escapeLine(problem)}`);
    if (problem !== undefined) output.stderr.write(`The browser could not be started (${escapeLine(problem)}); the link above works in any browser on this machine.\n${advice}`);
  } else {
    output.stderr.write(`Open this link in a browser:\n  ${shortUrl}\n${advice}`);
  }
}

async function waitForBrowser<T>(options: BrowserTrip, shortUrl: string, answer: Promise<T>, strays: () => number): Promise<T> {
  const { output, browser, place } = options;
  const wait = options.wait ?? limits.loginTime;
  await showLink(options, shortUrl);
  const spinner = startSpinner(output, `waiting for ${options.display} …`, wait);
  try {
    return await within(answer, wait, () => {
      const why = strays() > 0 ? `; ${strays()} answers came that were not for this login` : "";
      return new GatehouseError("internal", `timed out waiting for callback: no answer from the browser within ${wait / 1000} s${why}`, { hint: place.kind !== "desktop" && options.proxy !== undefined ? "run it again, or approve the login in a browser elsewhere: --headless" : browser === "none" ? "run it again, and open the link in a browser on this machine" : "run it again; --browser=none prints the link alone" });
    });
  } finally {
    spinner.stop();
  }
}

/**
 * Goes through the browser and back (reference §1.8): a loopback listener, a key that only this process and the gateway know, a link, an answer of this
 * shape. `begin` tells the gateway where the answer goes, and gets the address for the browser. Throws the gateway's own error at once where it
 * failed there, and `internal` after 180 s.
 */
export async function throughBrowser<T>(trip: BrowserTrip, schema: z.ZodType<T>, begin: (redirectUrl: string) => Promise<{ readonly redirect_url: string }>): Promise<T> {
  const key = trip.random(keyLength);
  let gateway = "";
  const loopback = await startLoopback<T>({
    bindAddress: trip.bindAddress,
    random: trip.random,
    // Where the gateway's pages are follows from where it sends the browser.
    get successUrl() {
      return `${gateway}/web/msg/info/${trip.donePage ?? "login_success"}`;
    },
    get failureUrl() {
      return `${gateway}/web/msg/error/login_failed`;
    },
    judge: (query) => judge(key, schema, query),
  });
  try {
    const secret = encodeURIComponent(Buffer.from(key).toString("base64"));
    const target = checkTarget((await begin(`${loopback.callbackUrl}?secret=${secret}`)).redirect_url);
    gateway = new URL(target).origin;
    loopback.setTarget(target);
    return await waitForBrowser(trip, loopback.shortUrl, loopback.answer, loopback.strays);
  } catch (error) {
    if (error instanceof GatehouseError) throw error;
    throw new GatehouseError("internal", `login failed: ${errorMessage(error)}`, { cause: error });
  } finally {
    await loopback.close();
  }
}

/** Logs in through the browser. Throws as {@link throughBrowser} does. */
export function ssoLogin(options: SsoOptions): Promise<SshLoginResponse> {
  return throughBrowser(options, sshLoginResponse, (redirect_url) =>
    options.web.consoleLogin(options.kind, {
      redirect_url,
      public_key: Buffer.from(options.publicKey).toString("base64"),
      cert_ttl: options.ttl * 1_000_000,
      connector_id: options.connector,
      compatibility: "",
    }),
  );
}
