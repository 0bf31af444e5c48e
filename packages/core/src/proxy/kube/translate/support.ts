import { z } from "zod";
import { askUpstream, parseJson } from "../ask.ts";
import type { Upstream } from "../upstream.ts";

/** What a WebSocket client may want of an API server that old ones do not speak. */
export type ModernStream = "command" | "portforward";

/** Minor versions of Kubernetes 1 whose API servers speak `v5.channel.k8s.io` and the port-forward tunnel by default. */
const firstMinor: Readonly<Record<ModernStream, number>> = { command: 30, portforward: 31 };

/** How long a version is believed, and how long not to ask again where it could not be learnt, ms. */
const knownFor = 3_600_000;
const unknownFor = 60_000;
/** How long a refusal is remembered: somebody may turn the feature on, ms. */
const refusedFor = 600_000;

const versionShape = z.object({ major: z.string().max(64), minor: z.string().max(64), gitVersion: z.string().max(256) });

/** The minor version of a Kubernetes 1, from what `/version` answers; undefined where it does not say. */
export function minorVersion(answer: unknown): number | undefined {
  const parsed = versionShape.safeParse(answer);
  if (!parsed.success) return undefined;
  const { major, minor, gitVersion } = parsed.data;
  // Clouds say "29+"; builds of one's own say nothing but v0.0.0.
  const [, ofGit] = /^v1\.(\d{1,4})(?:\.|$)/.exec(gitVersion) ?? [];
  const [, ofMinor] = (major === "1" ? /^(\d{1,4})\+?$/.exec(minor) : null) ?? [];
  const number = ofMinor ?? ofGit;
  return number === undefined ? undefined : Number(number);
}

/** What one API server speaks, by its version and by what it refused. */
export class StreamSupport {
  readonly #ask: () => Promise<unknown>;
  readonly #now: () => number;
  readonly #refusedAt: Record<ModernStream, number> = { command: -Infinity, portforward: -Infinity };
  #minor: number | undefined;
  #askAgainAt = -Infinity;
  #asking: Promise<void> | undefined;

  /** `ask` gets the answer of `/version`, or throws; `now` counts ms from any start. */
  constructor(ask: () => Promise<unknown>, now: () => number = () => performance.now()) {
    this.#ask = ask;
    this.#now = now;
  }

  /**
   * Whether the API server takes this itself, as far as is known; false also where nothing is known yet, as every API server takes SPDY. Where
   * what is known is old, it is learnt anew for the next time.
   */
  speaks(stream: ModernStream): boolean {
    const now = this.#now();
    if (now >= this.#askAgainAt) this.learn().catch(() => undefined);
    return this.#minor !== undefined && this.#minor >= firstMinor[stream] && now - this.#refusedAt[stream] >= refusedFor;
  }

  /** The API server refused it, whatever its version. */
  refused(stream: ModernStream): void {
    this.#refusedAt[stream] = this.#now();
  }

  /** Asks for the version. Never throws; where there is no answer, what was known stays. */
  learn(): Promise<void> {
    this.#asking ??= this.#learn().finally(() => (this.#asking = undefined));
    return this.#asking;
  }

  async #learn(): Promise<void> {
    this.#askAgainAt = this.#now() + unknownFor;
    try {
      this.#minor = minorVersion(await this.#ask());
      this.#askAgainAt = this.#now() + knownFor;
    } catch {
      // Asked again in a minute; until then the stream is translated, which works with every version.
    }
  }
}

/** What `/version` of this API server answers; undefined for what is not JSON. Throws `unavailable`. */
export async function askVersion(upstream: Pick<Upstream, "dispatch">): Promise<unknown> {
  return parseJson((await askUpstream(upstream, "GET", "/version")).text);
}
