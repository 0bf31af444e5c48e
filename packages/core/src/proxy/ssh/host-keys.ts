import type { KeyPair } from "../../ca/index.ts";
import { newKeyPair } from "../../ca/index.ts";
import type { NodeEntry } from "../../auth/index.ts";
import type { HostKey } from "../../ssh/index.ts";
import type { SshContext } from "./context.ts";
import { hostNames } from "./host-check.ts";

const hour = 3_600_000;
const ownLifetime = 24 * hour;
/** As long as a client may look at it: it says nothing of the host that would have to last. */
const shownLifetime = hour;
const maxShown = 4096;
const maxName = 253;

interface Kept {
  readonly keys: readonly HostKey[];
  readonly until: number;
}

/** Names that a certificate may have: OpenSSH takes `*` and `?` in them for patterns. */
const isPlainName = (name: string): boolean => name !== "" && name.length <= maxName && /^[\x21-\x7e]+$/.test(name) && !/[*?,]/.test(name);

/** Keys with which the gateway shows itself: as itself, and as a host whose sessions it records. They live in memory alone. */
export class HostKeys {
  readonly #context: Pick<SshContext, "authorities" | "clock" | "options">;
  readonly #shown = new Map<string, Kept>();
  #key: Promise<KeyPair> | undefined;
  #own: Kept | undefined;

  constructor(context: Pick<SshContext, "authorities" | "clock" | "options">) {
    this.#context = context;
  }

  /** The gateway's own. */
  async own(): Promise<readonly HostKey[]> {
    const { options } = this.#context;
    const now = this.#context.clock.now();
    if (this.#own === undefined || now >= this.#own.until) {
      this.#own = await this.#issue(options.serverId, options.nodeName, "Proxy", options.hostNames.filter(isPlainName), ownLifetime);
    }
    return this.#own.keys;
  }

  /** Those of a host as a person called it. */
  async shownAs(node: NodeEntry, target: string): Promise<readonly HostKey[]> {
    const now = this.#context.clock.now();
    const key = JSON.stringify([node.id, node.hostname, node.addr, target]);
    let kept = this.#shown.get(key);
    if (kept === undefined || now >= kept.until) {
      const called = target.replace(/^\[(.*)\]$/, "$1");
      const names = [...hostNames(node, this.#context.authorities.clusterName), node.id, node.addr.host, called].filter(isPlainName);
      kept = await this.#issue(node.id, node.hostname, "Node", names, shownLifetime);
      this.#shown.delete(key);
      this.#shown.set(key, kept);
      for (const oldest of this.#shown.keys()) {
        if (this.#shown.size <= maxShown) break;
        this.#shown.delete(oldest);
      }
    }
    return kept.keys;
  }

  async #issue(hostId: string, nodeName: string, role: "Proxy" | "Node", principals: readonly string[], lifetime: number): Promise<Kept> {
    const { authorities, clock } = this.#context;
    const { privateKey, publicKey } = await (this.#key ??= newKeyPair());
    const issued = authorities.issueHost({ publicKey, hostId, nodeName, role, principals, dnsNames: [], ipAddresses: [], ttl: lifetime });
    return { keys: [{ privateKey, certificate: issued.ssh }], until: clock.now() + lifetime / 2 };
  }
}
