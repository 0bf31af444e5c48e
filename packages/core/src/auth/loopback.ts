import { GatehouseError, type Random } from "../base/index.ts";
import { seal } from "../formats/index.ts";

const hosts = new Set(["127.0.0.1", "[::1]", "localhost"]);
const maxLength = 2048;
const path = "/callback";

/** A terminal's loopback address and the key that its answer is sealed with. */
export interface Loopback {
  readonly url: URL;
  readonly key: Uint8Array;
}

/**
 * Reads the address that a terminal waits at (reference §1.8): plain HTTP on this machine, with the key in `secret`. Throws `bad_parameter`, in v3's
 * words `missing secret` and `bad secret` where it is about the key.
 */
export function parseLoopback(text: string): Loopback {
  const fail = (message: string, hint?: string): GatehouseError => new GatehouseError("bad_parameter", message, { hint });
  if (text === "") throw fail("missing redirect_url");
  if (text.length > maxLength || !URL.canParse(text)) throw fail("redirect_url is not an address");
  const url = new URL(text);
  const fine = url.protocol === "http:" && hosts.has(url.hostname) && url.port !== "" && url.pathname === path && url.username === "" && url.password === "" && url.hash === "";
  if (!fine) throw fail("redirect_url leads elsewhere than to a waiting terminal", `it must be http://127.0.0.1:PORT${path}?secret=…`);
  const [secret, ...more] = url.searchParams.getAll("secret");
  if (secret === undefined || secret === "") throw fail("missing secret");
  if (more.length > 0 || !/^[A-Za-z0-9+/]{43}=$/.test(secret)) throw fail("bad secret", "it must be 32 bytes in standard base64");
  const key = Buffer.from(secret, "base64");
  if (key.toString("base64") !== secret) throw fail("bad secret", "it must be 32 bytes in standard base64");
  return { url, key };
}

/** The loopback address with a sealed answer in `response` or `error`; `secret` is emptied and the keys are sorted, as v3 does. */
export function answerLocation(loopback: Loopback, parameter: "response" | "error", answer: unknown, random: Random): string {
  const url = new URL(loopback.url);
  url.searchParams.delete("response");
  url.searchParams.delete("error");
  url.searchParams.set("secret", "");
  url.searchParams.set(parameter, seal(loopback.key, JSON.stringify(answer), random));
  url.searchParams.sort();
  return url.href;
}
