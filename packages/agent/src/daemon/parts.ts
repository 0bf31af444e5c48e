import { errorMessage } from "@gatehouse/core/base";
import { createLock } from "../lock/index.ts";
import { createLogins } from "../logins/index.ts";
import { createNotifier } from "../notify/index.ts";
import type { AgentContext, AgentLock, AgentLogins, SshAgent } from "../parts.ts";
import type { LiveSettings } from "../settings/index.ts";
import { createSshAgent } from "../ssh/index.ts";

/** What an agent is made of. */
export interface AgentParts {
  readonly lock: AgentLock;
  readonly logins: AgentLogins;
  readonly ssh: SshAgent;
}

/** What each part said of itself, by its name. */
type State = Partial<Record<"logins" | "ssh", unknown>>;

/** Of the agent before; what cannot be read is gone without it. */
function readState(text: string | undefined, log: AgentContext["log"]): State {
  if (text === undefined) return {};
  try {
    return JSON.parse(text) as State;
  } catch {
    // Its SyntaxError would quote what may be a key.
    log("what the agent before held cannot be read");
    return {};
  }
}

/**
 * Opens the parts, with what {@link stateOf} said of those of the agent before. A part that cannot read what another version said goes without it, which is logged.
 */
export async function openParts(context: AgentContext, settings: LiveSettings, before: string | undefined): Promise<AgentParts> {
  const { env, log } = context;
  const state = readState(before, log);
  const restore = <P extends { restore(state: unknown): void }>(name: keyof State, part: P): P => {
    if (state[name] === undefined) return part;
    try {
      part.restore(state[name]);
    } catch (error) {
      log(`what the agent before held (${name}) cannot be taken over: ${error instanceof SyntaxError ? error.name : errorMessage(error)}`);
    }
    return part;
  };
  const isOn = async (): Promise<boolean> => {
    await settings.refresh();
    return settings.current.notifications === "on";
  };
  const notifier = createNotifier({ env, platform: process.platform, isOn, log });
  const lock = createLock(context);
  const logins = restore("logins", createLogins(context, lock, { relogin: () => settings.current.relogin, notifier }));
  const ssh = restore("ssh", await createSshAgent(context, logins, lock, { upstream: env["SSH_AUTH_SOCK"], confirm: () => settings.current.confirm }));
  return { lock, logins, ssh };
}

/** All that would be lost with these parts, which are not locked; JSON. */
export function stateOf({ logins, ssh }: AgentParts): State {
  return { logins: logins.state(), ssh: ssh.state() };
}
