import type { Identity } from "../../auth/index.ts";
import { GatehouseError, describeDuration } from "../../base/index.ts";
import type { Lost } from "./bridge/index.ts";
import type { SshContext } from "./context.ts";
import { Denied } from "./denied.ts";

/** Connections of SSH itself that lead to no host, by their person: nobody takes the places of all others with what they do not use. */
export class Unused {
  readonly #limit: number;
  readonly #count = new Map<string, number>();

  constructor(limit: number) {
    this.#limit = limit;
  }

  /** Throws {@link Denied} where a person has as many as they may. */
  admit(username: string): void {
    const count = this.#count.get(username) ?? 0;
    if (count >= this.#limit) throw new Denied("limit_exceeded", "limit", `${String(count)} connections of yours are open and lead to no host`, { hint: "close some of them" });
  }

  add(username: string): void {
    this.#count.set(username, (this.#count.get(username) ?? 0) + 1);
  }

  remove(username: string): void {
    const left = (this.#count.get(username) ?? 1) - 1;
    if (left > 0) this.#count.set(username, left);
    else this.#count.delete(username);
  }
}

/** Why a connection that has led to no host since then may no longer go on, if so. */
export function unusedReason({ limits, options }: Pick<SshContext, "limits" | "options">, identity: Identity, since: number, now: number): Lost | undefined {
  const allowed = Math.min(...[limits.unusedTimeout, identity.roles.options().clientIdleTimeout, options.clientIdleTimeout].filter((each) => each > 0));
  if (now - since < allowed) return undefined;
  return { code: new GatehouseError("limit_exceeded", "").status, message: `access ended: the connection led to no host for ${describeDuration(allowed)}, the longest time that is allowed` };
}
