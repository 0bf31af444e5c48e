import { GatehouseError, errorMessage } from "@gatehouse/core/base";
import { noKeys } from "@gatehouse/core/client/ssh";
import type { AgentContext, AgentLock, AgentLogins, SshAgent } from "../parts.ts";

/** What an agent is made of. */
export interface AgentParts {
  readonly lock: AgentLock;
  readonly logins: AgentLogins;
  readonly ssh: SshAgent;
}

/** Keystore `memory` alone, until the logins are there. */
function plainLogins(): AgentLogins {
  const secrets = new Map<string, string>();
  return {
    credentials: () => Promise.resolve(null),
    relogin: () => Promise.resolve({ record: null, reason: null }),
    changed: () => Promise.resolve(),
    list: () => [],
    keys: noKeys,
    secrets: { get: (account) => secrets.get(account), set: (account, text) => void secrets.set(account, text), delete: (account) => secrets.delete(account) },
    get isIdle() {
      return secrets.size === 0;
    },
    state: () => [...secrets],
    restore: (state) => (state as [string, string][]).forEach(([account, text]) => secrets.set(account, text)),
    close: () => Promise.resolve(),
  };
}

function plainLock(): AgentLock {
  let kept: Buffer | undefined;
  return {
    get isLocked() {
      return kept !== undefined;
    },
    lock(passphrase) {
      if (kept) throw new GatehouseError("access_denied", "the agent is locked already");
      kept = passphrase;
    },
    unlock(passphrase) {
      if (!kept?.equals(passphrase)) return Promise.reject(new GatehouseError("access_denied", "the passphrase is not the one that the agent was locked with"));
      kept = undefined;
      return Promise.resolve();
    },
    state: () => kept?.toString("base64") ?? null,
  };
}

/** Opens the parts. */
export function openParts(context: AgentContext): Promise<AgentParts> {
  context.log("opens its parts");
  const ssh: SshAgent = { addedKeys: 0, clients: 0, upstream: undefined, isIdle: true, state: () => null, restore: () => undefined, close: () => Promise.resolve() };
  return Promise.resolve({ lock: plainLock(), logins: plainLogins(), ssh });
}

/** All that would be lost with these parts, as JSON. */
export async function stateOf({ lock, logins, ssh }: AgentParts): Promise<Record<string, unknown>> {
  return { lock: await Promise.resolve(lock.state()), logins: await Promise.resolve(logins.state()), ssh: await Promise.resolve(ssh.state()) };
}

/** Gives to these parts what those of another agent had. A part that cannot read what another version says goes without it, which is logged. */
export function restoreState(parts: AgentParts, text: string, log: (text: string) => void): void {
  const state = JSON.parse(text) as Partial<Record<"logins" | "ssh", unknown>>;
  for (const name of ["logins", "ssh"] as const) {
    try {
      parts[name].restore(state[name]);
    } catch (error) {
      log(`what the agent before held (${name}) cannot be taken over: ${error instanceof SyntaxError ? error.name : errorMessage(error)}`);
    }
  }
}
