import type { Connector } from "../resources/index.ts";
import type { FactorsView } from "./mfa/index.ts";
import type { Caller, Identity, RequestOrigin, SsoStart } from "./types.ts";

/** What a one-use link is for: a password for the first time or again; a second factor added or removed, new recovery codes. */
export type LinkPurpose = "invite" | "reset" | "add" | "remove" | "codes";

/** What a link's person does next. */
export interface LinkView {
  readonly user: string;
  readonly purpose: LinkPurpose;
  /** Choose a password; show who they are; register a second factor. */
  readonly step: "password" | "confirm" | "factor";
  /** The device that is to be removed. */
  readonly device?: string | undefined;
  /** With `confirm`: whether they have a second factor to show. */
  readonly hasFactor?: boolean | undefined;
  /** Whether a key can be registered, or shown. */
  readonly webauthn?: boolean | undefined;
  /** With `factor`: what an app is set up by; absent where the policy takes none. */
  readonly totp?: { readonly secret: string; readonly uri: string } | undefined;
  /** With `factor`: whether they may go on without. */
  readonly optional?: boolean | undefined;
}

/** What a link has done. */
export interface LinkDone {
  readonly user: string;
  readonly purpose: LinkPurpose;
  readonly device?: string | undefined;
  /** To be shown now and never again. */
  readonly recoveryCodes?: readonly string[] | undefined;
}

/** `pass` is for the browser that came this far: what comes next takes it. */
export type LinkOutcome = { readonly next: LinkView; readonly pass: string; readonly done?: never } | { readonly done: LinkDone; readonly next?: never; readonly pass?: never };

/**
 * One-use links of local users, by their token. Each throws `not_found` for a token that was used or has expired. Without the `pass` of the browser that chose the
 * password, or confirmed, a link begins anew.
 */
export interface Links {
  read(token: string, pass?: string): Promise<LinkView>;
  /** Of an invite or a reset. Throws `bad_parameter` for a password that may not be set. */
  setPassword(token: string, password: string, origin: RequestOrigin): Promise<LinkOutcome>;
  /** Of the other links: `answer` is a key's `AuthenticationResponseJSON`, not yet read. Counts for the lockout. Throws `access_denied`. */
  confirm(token: string, shown: { readonly password: string; readonly code: string; readonly answer: unknown }, origin: RequestOrigin): Promise<LinkOutcome>;
  /** Options of WebAuthn in JSON, to make a credential or to ask for one: a challenge good once, for three minutes. */
  keyOptions(token: string, pass?: string): Promise<unknown>;
  /** Registers an app by its code, a key by its `RegistrationResponseJSON` (not yet read; undefined for none), or both. */
  finish(token: string, given: { readonly code: string; readonly credential: unknown; readonly name: string }, origin: RequestOrigin, pass?: string): Promise<LinkDone>;
}

/** Second factors outside of logins. */
export interface MfaAdmin {
  /** The caller's own. Throws `bad_parameter` for whoever comes through a connector. */
  own(identity: Identity): Promise<FactorsView>;
  /** A link, good once and for ten minutes, on which the caller adds a second factor, removes one or gets new recovery codes. Throws `access_denied` for a session that was signed for them. */
  link(identity: Identity, wanted: { readonly purpose: "add" | "codes" } | { readonly purpose: "remove"; readonly device: string }): Promise<{ readonly token: string; readonly expires: number }>;
  /** Somebody's, for who may read users. */
  of(caller: Caller, user: string): Promise<FactorsView>;
  /** Removes one, or all and the recovery codes, for who may update users. Returns the names of the devices removed. */
  remove(caller: Caller, user: string, device: string | undefined): Promise<{ readonly removed: readonly string[]; readonly canLogIn: boolean }>;
}

/** What a page of a login under way may offer. */
export interface ConsolePage {
  /** Whether a code or a recovery code may be asked for. */
  readonly factor: "none" | "required" | "optional";
  readonly otp: boolean;
  readonly webauthn: boolean;
}

/** Logins whose way is chosen in the browser. A login is known by its id, and belongs to the browser that opened it first, by a cookie. */
export interface ConsoleLogins {
  /** `POST /webapi/local/login/console`: like the start of a connector's login, without a connector. */
  startConsole(request: { readonly clientRedirectUrl: string; readonly publicKey: string; readonly ttl: number; readonly compatibility: string; readonly origin: RequestOrigin }): Promise<SsoStart>;
  openConsole(id: string, cookies: Readonly<Record<string, string | undefined>>): Promise<{ readonly cookie: { readonly name: string; readonly value: string }; readonly page: ConsolePage }>;
  /** Goes on with a connector; the login is used up. Returns the address on this gateway that leads to the provider. */
  chooseConnector(login: ConsoleLogin, connector: { readonly kind: Connector["kind"]; readonly name: string; readonly host: string | undefined }): Promise<SsoStart>;
  /** Options of WebAuthn for this user name: alike for names that somebody has and for those that nobody has. */
  consoleKey(login: ConsoleLogin, user: string): Promise<unknown>;
  /** Logs in by password and second factor. Returns the terminal's address with the sealed answer. Throws `access_denied`; the login stays open for another try. */
  finishConsole(login: ConsoleLogin, shown: { readonly user: string; readonly password: string; readonly code: string; readonly answer: unknown }): Promise<{ readonly location: string; readonly clearCookie: string }>;
  /** Tells the terminal that the person gave up. */
  cancelConsole(login: ConsoleLogin): Promise<{ readonly location: string; readonly clearCookie: string }>;
}

/** A login under way and the browser that says it is its own. */
export interface ConsoleLogin {
  readonly id: string;
  readonly cookies: Readonly<Record<string, string | undefined>>;
  readonly origin: RequestOrigin;
}
