import { GatehouseError } from "@gatehouse/core/base";
import { AgentLocked, agentLimits, formatAgentAnswer, type AgentIdentityAnswer } from "@gatehouse/core/client/local-agent";
import type { ControlHandlers } from "../control/index.ts";
import type { LiveSettings } from "../settings/index.ts";
import { stateOf, type AgentParts } from "./parts.ts";

/** What the handlers ask of the process around them. */
export interface HandlerOptions {
  readonly identity: AgentIdentityAnswer;
  readonly parts: AgentParts;
  readonly settings: LiveSettings;
  readonly sshSocket: string;
  readonly clients: () => number;
  readonly idleExit: () => number | undefined;
  /** The sockets are being taken away, or are: what is put in now goes with the process. */
  readonly isLeaving: () => boolean;
  /** Takes the sockets away, so that another may put its own there; the process ends once who asked is answered. */
  readonly leave: () => Promise<void>;
}

/** Answers to what commands ask. */
export function controlHandlers({ identity, parts, settings, ...around }: HandlerOptions): ControlHandlers {
  const { lock, logins, ssh } = parts;
  /** Nothing is given out of a locked agent, and nothing put in. */
  const open = <Q, A>(work: (request: Q) => A): ((request: Q) => A) => (request) => {
    if (lock.isLocked) throw new AgentLocked();
    return work(request);
  };
  /** What changes the agent is refused where it would be told as done and be gone: a lock above all, which its successor would not have. */
  const lasting = <Q, A>(work: (request: Q) => A): ((request: Q) => A) => (request) => {
    if (around.isLeaving()) throw new GatehouseError("unavailable", "the local agent is ending, or another takes its place", { hint: "try again" });
    return work(request);
  };

  /** Who waits for a login in the browser, which would be cut off with this process. */
  let waiting = 0;

  return {
    hello: async ({ sshAgent }) => {
      if (sshAgent !== undefined && sshAgent !== "") await ssh.follow(sshAgent);
      return { ...identity, locked: lock.isLocked, loggingIn: waiting > 0 };
    },
    status: async () => {
      await Promise.all([settings.refresh(), logins.refresh()]);
      return {
        ...identity,
        locked: lock.isLocked,
        logins: logins.list(),
        addedKeys: ssh.addedKeys,
        clients: around.clients(),
        memory: process.memoryUsage.rss(),
        sshSocket: around.sshSocket,
        upstream: ssh.upstream,
        relogin: settings.current.relogin,
        idleExit: around.idleExit(),
      };
    },
    credentials: open(async ({ profile }) => ({ record: await logins.credentials(profile) })),
    relogin: lasting(
      open(async (request) => {
        waiting++;
        try {
          await settings.refresh();
          return await logins.relogin(request);
        } finally {
          waiting--;
        }
      }),
    ),
    "secret-get": open(({ account }) => ({ text: logins.secrets.get(account) ?? null })),
    "secret-set": lasting(
      open(({ account, text }) => {
        logins.secrets.set(account, text);
        return {};
      }),
    ),
    "secret-delete": lasting(open(({ account }) => ({ removed: logins.secrets.delete(account) }))),
    lock: lasting(async ({ passphrase }) => {
      await lock.lock(Buffer.from(passphrase));
      return {};
    }),
    unlock: async ({ passphrase }) => {
      await lock.unlock(Buffer.from(passphrase));
      return {};
    },
    // Whoever could ask a locked one for all that it holds would not need the passphrase.
    handover: open(async () => {
      if (waiting > 0) throw new GatehouseError("unavailable", "commands wait for a login that the local agent makes in the browser", { hint: "try again once it is made" });
      const state = JSON.stringify(stateOf(parts));
      // Who cannot hand over all that it has keeps it.
      if (Buffer.byteLength(formatAgentAnswer({ state })) > agentLimits.answer) throw new GatehouseError("limit_exceeded", "the local agent holds more than it can hand over", { hint: "end it: tsh agent stop" });
      await around.leave();
      return { state };
    }),
    stop: async () => {
      await around.leave();
      return {};
    },
  };
}
