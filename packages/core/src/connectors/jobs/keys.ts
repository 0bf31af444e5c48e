import type { JSONWebKeySet } from "jose";
import { request } from "undici";
import { z } from "zod";
import { GatehouseError, errorMessage, escapeLine, readAll, systemErrorCode, version, type Clock } from "../../base/index.ts";
import { isLoopback } from "../addresses.ts";

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

function fail(issuer: string, why: string, cause?: unknown): GatehouseError {
  return new GatehouseError("unavailable", `the keys of ${short(issuer)} cannot be had: ${why}`, { hint: "the gateway asks the issuer for them: try again; if it stays so, tell the gateway's operator", cause });
}

/** An answer of the issuer's, JSON, checked. Redirects are not followed. */
async function ask<T>(issuer: string, address: string, schema: z.ZodType<T>, timeout: number): Promise<T> {
  const url = URL.canParse(address) ? new URL(address) : undefined;
  // Only an issuer that is on this machine itself may send the gateway to an address without TLS here.
  if (!url || (url.protocol !== "https:" && !(url.protocol === "http:" && isLoopback(url) && issuer.startsWith("http:")))) throw fail(issuer, `${short(address)} is no https address`);
  const signal = AbortSignal.timeout(timeout);
  let status: number;
  let text: string;
  try {
    const response = await request(url, { signal, headers: { accept: "application/json", "user-agent": `gatehouse/${version}` } });
    status = response.statusCode;
    text = (await readAll(response.body, maxAnswer, "its answer")).toString("utf8");
  } catch (error) {
    throw fail(issuer, signal.aborted ? `it did not answer within ${timeout / 1000} s` : (systemErrorCode(error) ?? short(errorMessage(error))), error);
  }
  if (status !== 200) throw fail(issuer, `it answered ${status} to ${short(url.href)}`);
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (error) {
    throw fail(issuer, `${short(url.href)} is not JSON`, error);
  }
  const parsed = schema.safeParse(json);
  if (!parsed.success) throw fail(issuer, `${short(url.href)} has another shape than documented`, parsed.error);
  return parsed.data;
}

async function discover(issuer: string, timeout: number): Promise<JSONWebKeySet> {
  const found = await ask(issuer, `${issuer.replace(/\/$/, "")}/.well-known/openid-configuration`, discovery, timeout);
  if (found.issuer !== issuer) throw fail(issuer, `it says that it is ${short(found.issuer)}`);
  return ask(issuer, found.jwks_uri, keySet, timeout);
}

interface Known {
  readonly at: number;
  readonly set: JSONWebKeySet;
}

/** Keys of issuers, kept for a while; at most one question to an issuer at a time. */
export function createIssuerKeys(clock: Clock, limits: IssuerLimits = issuerLimits): IssuerKeys {
  const known = new Map<string, Known>();
  const underWay = new Map<string, Promise<Known>>();
  const failed = new Map<string, { readonly at: number; readonly error: unknown }>();

  async function fetchKeys(issuer: string): Promise<Known> {
    try {
      const fresh = { at: clock.now(), set: await discover(issuer, limits.timeout) };
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
