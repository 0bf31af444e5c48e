import type { JSONWebKeySet } from "jose";
import { z } from "zod";
import { GatehouseError, escapeLine, type Clock } from "../../base/index.ts";
import { discoveryUrl, isSafeAddress } from "../discovery.ts";
import { createProviderHttp, type ProviderHttp } from "../http.ts";

/** Limits of asking an issuer. Times in ms. */
export interface IssuerLimits {
  readonly timeout: number;
  /** Keys are used for so long without asking again, and for `staleFor` where asking fails. */
  readonly freshFor: number;
  readonly staleFor: number;
  /** A key that is not known is asked for no more often than this: anybody can make one up. */
  readonly cooldown: number;
}

export const issuerLimits: IssuerLimits = { timeout: 5000, freshFor: 10 * 60_000, staleFor: 60 * 60_000, cooldown: 30_000 };
const maxAnswer = 256 * 1024;
const maxIssuers = 200;

/** The keys of issuers, by OpenID Connect discovery. */
export interface IssuerKeys {
  /** Keys of an issuer; `anew` where one that signed is not among those known. Throws `unavailable`. */
  keys(issuer: string, anew: boolean): Promise<JSONWebKeySet>;
}

const discovery = z.object({ issuer: z.string().max(2048), jwks_uri: z.string().max(2048) });
const keySet = z.object({ keys: z.array(z.looseObject({ kty: z.string() })).max(200) });

const short = (text: string): string => escapeLine(text.slice(0, 200));
const accept = { accept: "application/json, application/jwk-set+json" };

const hint = "the gateway asks the issuer for them: try again; if it stays so, tell the gateway's operator";

function fail(issuer: string, why: string, cause?: unknown): GatehouseError {
  return new GatehouseError("unavailable", `the keys of ${short(issuer)} cannot be had: ${why}`, { hint, cause });
}

async function discover(issuer: string, http: ProviderHttp): Promise<JSONWebKeySet> {
  if (!isSafeAddress(issuer, true)) throw fail(issuer, "that is no https address");
  const found = await http.json({ what: "the request for its discovery document", url: discoveryUrl(issuer), headers: accept }, discovery);
  if (found.issuer !== issuer) throw fail(issuer, `it says that it is ${short(found.issuer)}`);
  // Only an issuer that is on this machine itself may send the gateway to an address without TLS here.
  if (!isSafeAddress(found.jwks_uri, issuer.startsWith("http:"))) throw fail(issuer, `${short(found.jwks_uri)} is no https address`);
  return http.json({ what: "the request for its keys", url: found.jwks_uri, headers: accept }, keySet);
}

/** Asks an issuer over connections of its own, which end with the answer. */
async function askIssuer(issuer: string, { timeout }: IssuerLimits, open: typeof createProviderHttp): Promise<JSONWebKeySet> {
  const http = open({ who: "the issuer", hint, timeouts: { request: timeout, login: 2 * timeout }, maxBody: maxAnswer });
  try {
    return await discover(issuer, http);
  } catch (error) {
    throw error instanceof GatehouseError && error.code !== "unavailable" ? fail(issuer, error.message, error) : error;
  } finally {
    await http.close();
  }
}

interface Known {
  readonly at: number;
  readonly set: JSONWebKeySet;
}

/** Keys of issuers, kept for a while; at most one question to an issuer at a time. `open` makes the way to one. */
export function createIssuerKeys(clock: Clock, limits: IssuerLimits = issuerLimits, open: typeof createProviderHttp = createProviderHttp): IssuerKeys {
  const known = new Map<string, Known>();
  const underWay = new Map<string, Promise<Known>>();
  const failed = new Map<string, { readonly at: number; readonly error: unknown }>();

  async function fetchKeys(issuer: string): Promise<Known> {
    try {
      const fresh = { at: clock.now(), set: await askIssuer(issuer, limits, open) };
      if (known.size >= maxIssuers) known.clear();
      known.set(issuer, fresh);
      failed.delete(issuer);
      return fresh;
    } catch (error) {
      if (failed.size >= maxIssuers) failed.clear();
      failed.set(issuer, { at: clock.now(), error });
      throw error;
    } finally {
      underWay.delete(issuer);
    }
  }

  function refresh(issuer: string): Promise<Known> {
    let asking = underWay.get(issuer);
    if (!asking) {
      asking = fetchKeys(issuer);
      underWay.set(issuer, asking);
    }
    return asking;
  }

  return {
    async keys(issuer, anew) {
      const have = known.get(issuer);
      const age = have ? clock.now() - have.at : Number.POSITIVE_INFINITY;
      if (have && age < (anew ? limits.cooldown : limits.freshFor)) return have.set;
      const last = failed.get(issuer);
      // A second is enough not to ask a dead issuer once for each of a thousand jobs.
      const isDown = last !== undefined && clock.now() - last.at < 1000;
      try {
        if (isDown) throw last.error;
        return (await refresh(issuer)).set;
      } catch (error) {
        if (have && !anew && age < limits.staleFor) return have.set;
        throw error;
      }
    },
  };
}
