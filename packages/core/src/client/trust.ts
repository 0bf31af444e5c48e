import { X509Certificate, createHash } from "node:crypto";
import { connect, type DetailedPeerCertificate, type TLSSocket } from "node:tls";
import { GatehouseError, escapeLine } from "../base/index.ts";
import { spkiPin } from "../formats/index.ts";
import { readFileLimited, type ClientHome, type Environment, type ProxyAddress } from "./lean/index.ts";
import { isUntrusted, unreachable } from "./network-errors.ts";
import { systemRoots } from "./roots.ts";
import type { Prompter } from "./terminal/index.ts";

/** Why a gateway is believed. */
export interface GatewayTrust {
  /** Authorities that may vouch for the gateway's web certificate, PEM. */
  readonly authorities: readonly string[];
  /** The authority that it was pinned to, PEM, to be kept with the profile; undefined where the machine's own authorities vouch for it. */
  readonly pinnedCa: string | undefined;
  readonly pin: string | undefined;
}

/** How to settle trust in a gateway. */
export interface TrustOptions {
  readonly address: ProxyAddress;
  readonly home: ClientHome;
  readonly profile: string;
  readonly env: Environment;
  /** `--ca-pin`: `sha256:<hex>`. */
  readonly pin: string | undefined;
  /** Asks the person, where there is a terminal. */
  readonly prompter: Prompter | undefined;
  /** Told what the person must know. */
  readonly notice: (text: string) => void;
}

const connectLimit = 30_000;
const maxChain = 10;
const maxPinnedCa = 64 * 1024;

/** The authorities that may vouch for a gateway as far as is known here, PEM: the one that it is pinned to, else the machine's own. */
export async function knownAuthorities(home: ClientHome, profile: string, env: Environment): Promise<readonly string[]> {
  const kept = await readFileLimited(home.pinnedCa(profile), { limit: maxPinnedCa });
  return kept === undefined ? systemRoots(env) : [kept];
}

/** Lower-case `sha256:<64 hex>`. Throws `usage`. */
export function parsePin(text: string): string {
  const pin = text.trim().toLowerCase();
  if (!/^sha256:[0-9a-f]{64}$/.test(pin)) {
    throw new GatehouseError("usage", `"${escapeLine(text.slice(0, 100))}" is not a pin`, { hint: "a pin is sha256: and 64 hex digits; the gateway prints it at start, and tctl status shows it" });
  }
  return pin;
}

async function handshake<T>(address: ProxyAddress, authorities: readonly string[], verify: boolean, look: (socket: TLSSocket) => T): Promise<T> {
  const socket = connect({
    host: address.host,
    port: address.port,
    servername: /^[\d.]+$|:/.test(address.host) ? "" : address.host,
    ca: [...authorities],
    // Without verification nothing but the handshake happens: no byte of ours is sent inside.
    rejectUnauthorized: verify,
    minVersion: "TLSv1.2",
    ALPNProtocols: ["http/1.1"],
  });
  try {
    return await new Promise<T>((resolve, reject) => {
      socket.setTimeout(connectLimit, () => reject(Object.assign(new Error("no answer"), { code: "ETIMEDOUT" })));
      socket.once("error", reject);
      socket.once("close", () => reject(Object.assign(new Error("closed"), { code: "ECONNRESET" })));
      socket.once("secureConnect", () => {
        try {
          resolve(look(socket));
        } catch (error) {
          reject(error);
        }
      });
    });
  } finally {
    socket.destroy();
  }
}

/** The chain that a gateway presents, leaf first, PEM; not verified. */
async function presentedChain(address: ProxyAddress): Promise<readonly string[]> {
  return handshake(address, [], false, (socket) => {
    const chain: string[] = [];
    const seen = new Set<string>();
    // Node's types leave out that the last one has no issuer.
    for (let at: Partial<DetailedPeerCertificate> | undefined = socket.getPeerCertificate(true); at?.raw && chain.length < maxChain; at = at.issuerCertificate) {
      const digest = createHash("sha256").update(at.raw).digest("hex");
      if (seen.has(digest)) break;
      seen.add(digest);
      chain.push(new X509Certificate(at.raw).toString());
    }
    return chain;
  });
}

async function vouchedBy(address: ProxyAddress, authorities: readonly string[]): Promise<boolean> {
  try {
    await handshake(address, authorities, true, () => undefined);
    return true;
  } catch (error) {
    if (isUntrusted(error)) return false;
    throw unreachable(address.text, error);
  }
}

const unknownGateway = (address: ProxyAddress): GatehouseError =>
  new GatehouseError("unavailable", `the gateway ${address.text} is not known here, and no authority of this machine vouches for its certificate; nothing was sent to it`, {
    hint: `ask the gateway's operator for its pin (it is printed at start, and by tctl status), then: tsh login --proxy=${address.text.replace(/:3080$/, "")} --ca-pin=sha256:…`,
  });

async function choosePinned(options: TrustOptions, chain: readonly string[]): Promise<string> {
  const { address, pin } = options;
  if (pin !== undefined) {
    const match = chain.find((certificate) => spkiPin(certificate) === pin);
    if (match !== undefined) return match;
    throw new GatehouseError("unavailable", `the gateway ${address.text} does not have the pin ${pin}; nothing was sent to it`, {
      hint: `it shows ${chain.map(spkiPin).at(-1) ?? "no certificate"}: ask its operator which is right, and do not log in while they differ; where its web certificate comes from a public authority, leave --ca-pin out`,
    });
  }
  const last = chain.at(-1);
  if (!options.prompter || last === undefined) throw unknownGateway(address);
  options.notice(`No authority of this machine vouches for ${address.text}. It shows the pin\n  ${spkiPin(last)}\nCompare it with what the gateway prints at start, or with tctl status.\n`);
  if (await options.prompter.confirm(`Is this the pin of your gateway?`)) return last;
  throw new GatehouseError("unavailable", `the gateway ${address.text} was not trusted; nothing was sent to it`);
}

/**
 * Decides, before anything is sent, whether this is the gateway that is meant. Where there is a pin, given or kept from before, the authority
 * that it names must vouch for the gateway, and no other can; else the machine's own authorities do, or a person on a terminal compares the pin.
 * Throws `unavailable`.
 */
export async function settleTrust(options: TrustOptions): Promise<GatewayTrust> {
  const { address, home, profile, pin } = options;
  const kept = await readFileLimited(home.pinnedCa(profile), { limit: maxPinnedCa });
  if (kept !== undefined && (pin === undefined || spkiPin(kept) === pin)) {
    if (await vouchedBy(address, [kept])) return pinned(kept);
  } else if (pin === undefined) {
    const roots = await systemRoots(options.env);
    if (await vouchedBy(address, roots)) return { authorities: roots, pinnedCa: undefined, pin: undefined };
  }
  const chain = await presentedChain(address).catch((error: unknown) => {
    throw unreachable(address.text, error);
  });
  if (kept !== undefined && pin === undefined) {
    throw new GatehouseError("unavailable", `the gateway ${address.text} is not the one that this machine is pinned to (${spkiPin(kept)}); nothing was sent to it`, {
      hint: `it shows ${chain.map(spkiPin).at(-1) ?? "no certificate"}: if its operator confirms that: tsh login --proxy=${address.text.replace(/:3080$/, "")} --ca-pin=…`,
    });
  }
  const chosen = await choosePinned(options, chain);
  if (!(await vouchedBy(address, [chosen]))) throw unknownGateway(address);
  return pinned(chosen);
}

/** Trust in one authority and in no other: a public one could vouch for anybody. */
function pinned(authority: string): GatewayTrust {
  return { authorities: [authority], pinnedCa: authority, pin: spkiPin(authority) };
}
