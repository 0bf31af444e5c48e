import type { SshLoginResponse } from "../../api/index.ts";
import type { Connector } from "../../resources/index.ts";
import type { LoginCookie, RequestOrigin, SsoStart } from "../types.ts";

/** Cookies of a browser by name. */
export type Cookies = Readonly<Record<string, string | undefined>>;

/** What became of a request, as its terminal sees it. */
export type HeadlessOutcome = { readonly state: "pending" } | { readonly state: "approved"; readonly login: SshLoginResponse };

/** A request as the person sees it who decides about it. */
export interface HeadlessView {
  readonly user: string;
  /** What the asking machine calls itself. */
  readonly host: string;
  /** Empty for a shell. */
  readonly command: string;
  /** Where the request came from, without a port. */
  readonly address: string;
  /** How long the certificates will last, ms. */
  readonly ttl: number;
  /** ms since the epoch. */
  readonly expires: number;
  /** Codes that may still be tried. */
  readonly tries: number;
}

/** What a browser becomes that has proved who uses it. */
export interface HeadlessTicket {
  /** To be set: the browser may look at the request and decide, once. */
  readonly cookie: LoginCookie;
}

/**
 * Logins of a terminal that has no browser, approved by the same person in a browser elsewhere: the terminal shows a code (`headlessCode`) that the person types
 * there. `id` is in the page's address and alone lets nobody do anything.
 */
export interface Headless {
  /** A terminal asks, for `user`. `ttl` in ms, at most an hour is given. Throws `limit_exceeded` where three of that user's wait already. */
  ask(request: {
    readonly user: string;
    readonly publicKey: string;
    readonly host: string;
    readonly command: string;
    readonly ttl: number;
    readonly origin: RequestOrigin;
  }): Promise<{ readonly id: string; readonly pollSecret: string; readonly expires: number }>;
  /**
   * Waits for the decision, at most `wait` ms; the certificates are given once. Throws `not_found` for a request that is not known (or not with this secret), was used or is over, and
   * `access_denied` for one that was refused.
   */
  poll(request: { readonly id: string; readonly pollSecret: string; readonly wait: number; readonly origin: RequestOrigin }): Promise<HeadlessOutcome>;
  /** Throws `not_found` unless this request waits for a decision. */
  find(id: string): Promise<void>;
  /** Begins a login through a connector whose end is a ticket. Returns where the browser goes. */
  startSso(request: { readonly id: string; readonly connectorId: string; readonly kind: Connector["kind"]; readonly host?: string | undefined; readonly origin: RequestOrigin }): Promise<SsoStart>;
  /** A local user's password and second factor. Throws `access_denied`, audited, where they do not hold or are another user's. */
  proveLocally(request: { readonly id: string; readonly user: string; readonly password: string; readonly code: string; readonly origin: RequestOrigin }): Promise<HeadlessTicket>;
  /** What is asked for. Throws `unauthenticated` for a browser without a ticket. */
  view(id: string, cookies: Cookies): Promise<HeadlessView>;
  /**
   * Approves with the terminal's code as it was typed, or refuses. Throws `bad_parameter` for a wrong code (the fifth ends the request: `access_denied`),
   * `unauthenticated` for a browser without a ticket. Returns the cookie to clear.
   */
  decide(request: { readonly id: string; readonly cookies: Cookies; readonly decision: { readonly approve: true; readonly code: string } | { readonly approve: false }; readonly origin: RequestOrigin }): Promise<{ readonly clearCookie: string }>;
}
