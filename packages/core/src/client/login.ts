import type { PingResponse, SshLoginResponse } from "../api/index.ts";
import { GatehouseError, escapeLine, limits, toGatehouseError, type Clock, type Random } from "../base/index.ts";
import { connectAdmin, connectWeb, type WebConnection } from "./gateway.ts";
import { readAccount, type Account } from "./kube-access.ts";
import { newKey, type NewKey } from "./key.ts";
import { clientHome, keychainExists, parseProxyAddress, profileName, type Environment, type KeystoreKind, type LoginRecord, type ProxyAddress } from "./lean/index.ts";
import { readProfile } from "./profiles.ts";
import { ssoLogin } from "./sso.ts";
import { storeLogin, writeKubeEntries } from "./store-login.ts";
import type { KubeUpdate } from "./kubeconfig/index.ts";
import type { Output, Prompter } from "./terminal/index.ts";
import { gatherFacts, placeOf } from "./surroundings.ts";
import { settleTrust } from "./trust.ts";
import { clockSkew, verifyLogin } from "./verify.ts";

/** What a login is asked to be. */
export interface LoginOptions {
  /** `host[:port]`. */
  readonly proxy: string;
  /** Connector name or `local`; the gateway's own choice where absent. */
  readonly auth: string | undefined;
  /** For a local login. */
  readonly user: string | undefined;
  /** Asks for the password of a local login. */
  readonly password: (user: string) => Promise<string>;
  /** Asks for the second factor; undefined where nobody can be asked. */
  readonly otp: ((question: string, required: boolean) => Promise<string>) | undefined;
  /** `browser`: on the gateway's login page, where a security key can be asked; `code`: here, even where the cluster wants a key. As the cluster has it where absent. */
  readonly mfa: "browser" | "code" | undefined;
  /** ms; 12 h where absent. */
  readonly ttl: number | undefined;
  readonly caPin: string | undefined;
  readonly browser: string | undefined;
  readonly bindAddress: string | undefined;
  /** Where to keep the key; chosen where absent: the keychain, or a file where no keychain service exists. */
  readonly keystore: KeystoreKind | undefined;
  /** Write key and certificate into kubeconfig itself. */
  readonly embed: boolean;
  /** Nobody reads what is written: without a browser that starts, the login fails at once. */
  readonly unattended?: boolean | undefined;
}

/** What a login works with. */
export interface LoginTools {
  readonly env: Environment;
  readonly clock: Clock;
  readonly random: Random;
  readonly output: Output;
  readonly prompter: Prompter | undefined;
  /** What the launcher runs: Node and the absolute path of the command. */
  readonly program: { readonly node: string; readonly script: string };
}

/** What a login left. */
export interface LoginResult {
  readonly record: LoginRecord;
  readonly account: Account;
  readonly authType: string;
  readonly keystore: KeystoreKind;
  /** Undefined where the gateway has no Kubernetes. */
  readonly kube: KubeUpdate | undefined;
  /** Why kubeconfig could not be changed: the person is logged in all the same. */
  readonly kubeProblem: GatehouseError | undefined;
}

/** Where the key goes, and whether a file was nobody's wish. */
async function chooseKeystore(options: LoginOptions, tools: LoginTools): Promise<{ readonly keystore: KeystoreKind; readonly forced: boolean }> {
  if (options.keystore !== undefined) return { keystore: options.keystore, forced: false };
  const exists = await keychainExists(tools.env);
  return { keystore: exists ? "keychain" : "file", forced: !exists };
}

/** What the gateway says of its logins; a connector that it does not have is named. */
async function pingFor(connection: WebConnection, auth: string | undefined): Promise<PingResponse> {
  try {
    return await connection.web.ping(auth);
  } catch (error) {
    if (auth === undefined || !(error instanceof GatehouseError) || error.code !== "not_found") throw error;
    throw new GatehouseError("not_found", `login failed: the gateway has no login named "${escapeLine(auth)}"`, { hint: "leave --auth out for its own choice; local accounts: --auth=local --user=NAME", cause: error });
  }
}

/** What is asked for, by what the cluster wants of everybody: it tells nothing of whether this user exists and has one. */
const questions: Readonly<Record<string, string>> = {
  otp: "One-time code, or a recovery code:",
  webauthn: "Recovery code:",
  on: "One-time code, or a recovery code (Enter alone: security key in the browser):",
  optional: "One-time code, or a recovery code (Enter alone if you have none):",
};

async function askSecondFactor(factor: string | undefined, options: LoginOptions): Promise<string> {
  if (factor === undefined || factor === "off") return "";
  if (factor === "u2f") throw new GatehouseError("not_implemented", "this gateway wants a U2F token, which is not supported");
  if (!options.otp) throw new GatehouseError("usage", "this gateway wants a second factor, and there is no terminal to ask for it", { hint: "--password-stdin reads the code from a second line; a security key is asked in the browser: --mfa=browser" });
  return (await options.otp(questions[factor] ?? "One-time code:", factor !== "optional")).trim();
}

/** Logs in with a password here, and with a second factor here; undefined where that one is to be shown in the browser. */
async function localLogin(connection: WebConnection, ping: PingResponse, key: NewKey, ttl: number, options: LoginOptions): Promise<SshLoginResponse | undefined> {
  const { user } = options;
  const { second_factor: factor } = ping.auth;
  if (options.mfa === "browser" || (factor === "webauthn" && options.mfa === undefined)) return undefined;
  if (user === undefined) throw new GatehouseError("usage", "a local login needs a user", { hint: "tsh login --auth=local --user=<name>" });
  const password = await options.password(user);
  const otp = await askSecondFactor(factor, options);
  if (otp === "" && factor === "on" && options.mfa === undefined) return undefined;
  return connection.web.localLogin({
    user,
    password,
    ...(otp === "" ? {} : { otp_token: otp }),
    pub_key: Buffer.from(key.line).toString("base64"),
    ttl: ttl * 1_000_000,
    compatibility: "",
  });
}

interface Provider {
  readonly kind: "github" | "oidc" | "saml" | "local";
  readonly name: string;
  readonly display: string;
}

const displays = { github: "GitHub", oidc: "the identity provider", saml: "the identity provider" } as const;

function providerOf(ping: PingResponse): Provider {
  for (const kind of ["github", "oidc", "saml"] as const) {
    const settings = ping.auth[kind];
    if (ping.auth.type === kind && settings) return { kind, name: settings.name, display: settings.display === "" ? displays[kind] : settings.display };
  }
  throw new GatehouseError("not_implemented", `this gateway wants a login of type "${ping.auth.type}", which is not supported`);
}

/** The gateway's own page, where the way is chosen. */
const loginPage: Provider = { kind: "local", name: "", display: "the browser" };

async function getCertificates(connection: WebConnection, ping: PingResponse, address: ProxyAddress, key: NewKey, options: LoginOptions, tools: LoginTools): Promise<SshLoginResponse> {
  const ttl = options.ttl ?? limits.defaultCertificateTtl;
  const here = ping.auth.type === "local" ? await localLogin(connection, ping, key, ttl, options) : undefined;
  if (here) return here;
  const provider = options.mfa === "browser" || ping.auth.type === "local" ? loginPage : providerOf(ping);
  return ssoLogin({
    web: connection.web,
    proxy: address.text.replace(/:3080$/, ""),
    kind: provider.kind,
    connector: provider.name,
    display: provider.display,
    publicKey: key.line,
    ttl,
    env: tools.env,
    place: placeOf(await gatherFacts(tools.env)),
    output: tools.output,
    random: tools.random,
    browser: options.browser,
    bindAddress: options.bindAddress,
    unattended: options.unattended,
  });
}

function checkTtl(ttl: number | undefined): void {
  if (ttl !== undefined && (ttl < limits.minCertificateTtl || ttl > limits.maxCertificateTtl)) {
    throw new GatehouseError("usage", "a login lasts from 1 minute to 30 hours", { hint: "write --ttl=12h, or in minutes: --ttl=720" });
  }
}

/**
 * Logs a person in: settles trust, makes the key, gets certificates (through the browser, or with a password), checks them, asks the gateway
 * who that is, and stores it all. Nothing is stored unless everything up to then went well. Throws the cause.
 */
export async function login(options: LoginOptions, tools: LoginTools): Promise<LoginResult> {
  checkTtl(options.ttl);
  const { output, env, clock } = tools;
  const address = parseProxyAddress(options.proxy);
  const home = clientHome(env);
  const name = profileName(address);
  // Before the browser opens: a keychain that cannot be used must not cost a login.
  const { keystore, forced } = await chooseKeystore(options, tools);
  const trust = await settleTrust({ address, home, profile: name, env, pin: options.caPin, prompter: tools.prompter, notice: (text) => output.stderr.write(text) });
  const connection = connectWeb(address, trust.authorities);
  const ping = await pingFor(connection, options.auth);
  const key = await newKey();
  const response = await getCertificates(connection, ping, address, key, options, tools);
  const now = clock.now();
  const gatewayNow = connection.gatewayNow();
  const record = verifyLogin(response, { privateKey: key.privateKey, privateKeyPem: key.pem, proxy: address.text, user: ping.auth.type === "local" ? options.user : undefined, now, gatewayNow });
  const skew = clockSkew(now, gatewayNow);
  if (skew !== undefined) output.stderr.write(`Note: ${skew}; certificates may seem to begin or end at the wrong time.\n`);
  const account = await readAccount(connectAdmin(record), record, ping);
  const authType = options.auth ?? (ping.auth.type === "local" ? "local" : providerOf(ping).name);
  const before = await readProfile(home, name);
  await storeLogin({ home, name, env, record, account, authType, keystore, trust, program: tools.program, now, notice: (text) => output.stderr.write(text) });
  if (forced && before?.keystore !== "file") output.stderr.write(`No keychain service runs here: the key is in a file in ${home.keys} that only you can read (as with --keystore=file).\n`);
  const result = { record, account, authType, keystore };
  try {
    return { ...result, kube: await writeKubeEntries({ home, env, record, account, embed: options.embed }), kubeProblem: undefined };
  } catch (error) {
    return { ...result, kube: undefined, kubeProblem: toGatehouseError(error) };
  }
}
