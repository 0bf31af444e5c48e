import type { Decision, EffectiveOptions } from "../../access/index.ts";
import type { Identity, NodeEntry } from "../../auth/index.ts";
import { GatehouseError, errorMessage, escapeLine } from "../../base/index.ts";
import { idleReason } from "../sessions/index.ts";
import type { LiveFacts, Lost } from "./bridge/index.ts";
import type { SshContext } from "./context.ts";
import { Denied } from "./denied.ts";
import type { Person } from "./person.ts";
import { lockOf } from "./refusals.ts";

/** Where SSH sessions are recorded: on their way, or not at all. */
export type Mode = "proxy" | "off";

/** How this person's sessions are now. With recording switched off nothing is, whatever roles say. */
export function modeFor({ options, sessions }: Pick<SshContext, "options" | "sessions">, effective: EffectiveOptions): Mode {
  return sessions.recorded ? (effective.sshRecording ?? options.mode) : "off";
}

function decide({ gatekeeper }: Pick<SshContext, "gatekeeper">, identity: Identity, node: NodeEntry, login: string | undefined): Decision {
  const target = { id: node.id, name: node.hostname, labels: node.labels };
  if (login !== undefined) return gatekeeper.node(identity, target, login);
  let refused: Decision | undefined;
  for (const each of identity.roles.logins()) {
    const decision = gatekeeper.node(identity, target, each);
    if (decision.allowed) return decision;
    refused ??= decision;
  }
  return refused ?? gatekeeper.node(identity, target, "");
}

/** Whether somebody may log in to a host at all. */
export function mayReach(context: Pick<SshContext, "gatekeeper">, identity: Identity, node: NodeEntry): boolean {
  return decide(context, identity, node, undefined).allowed;
}

/** What holds for a person, a host and (where it is known yet) a login now. Throws what {@link Person.identity} throws, and {@link Denied}. */
export function authorize(context: Pick<SshContext, "gatekeeper">, person: Person, node: NodeEntry, login: string | undefined): Identity {
  const identity = person.identity();
  const decision = decide(context, identity, node, login);
  const [reason] = decision.reasons;
  if (!decision.allowed) {
    const nobody = login === undefined && identity.roles.logins().length === 0;
    const why = nobody ? "none of your roles gives you a login" : (reason?.text ?? "no role allows it");
    const as = login === undefined ? "" : ` as ${escapeLine(login.slice(0, 80))}`;
    throw new Denied("access_denied", reason?.lock === undefined ? "node" : "lock", `you may not log in to ${escapeLine(node.hostname)}${as}: ${why}`, { reason, detail: why });
  }
  const { forceCommands } = identity.roles.options();
  if (forceCommands.length > 1) {
    throw new Denied("access_denied", "force_command", "your roles force different commands upon you, and so nothing may run", { detail: `roles force different commands: ${forceCommands.join("; ").slice(0, 1000)}` });
  }
  return identity;
}

/** Options that allow what a connection was given when it began, in words. */
const allowances = [
  ["portForwarding", "port forwarding"],
  ["forwardAgent", "agent forwarding"],
  ["x11Forwarding", "X11"],
] as const;

/** One person on one host: what was decided, and whether it still holds. */
export class Grant {
  readonly #context: SshContext;
  readonly person: Person;
  readonly node: NodeEntry;
  readonly login: string | undefined;
  readonly mode: Mode;
  readonly identity: Identity;
  /** Of a connection that passes unread and was asked for without a login: those that it may be used for. */
  readonly #logins: readonly string[];

  /** Decides. Throws as {@link authorize} does. */
  constructor(context: SshContext, person: Person, node: NodeEntry, login: string | undefined, mode?: Mode) {
    this.#context = context;
    this.person = person;
    this.node = node;
    this.login = login;
    this.identity = authorize(context, person, node, login);
    this.mode = mode ?? modeFor(context, this.options);
    this.#logins = login === undefined && this.mode === "off" ? this.identity.roles.logins().filter((each) => decide(context, this.identity, node, each).allowed) : [];
  }

  get options(): EffectiveOptions {
    return this.identity.roles.options();
  }

  /** Why this may no longer go on, if so. Never throws. */
  lost(live: LiveFacts, now: number): Lost | undefined {
    const context = this.#context;
    try {
      const node = context.nodes.get(this.node.id);
      if (node === undefined) return ended("access_denied", `${escapeLine(this.node.hostname)} is no host of this cluster any more`);
      if (this.node.hostKey !== undefined && node.hostKey !== this.node.hostKey) return ended("access_denied", `${escapeLine(this.node.hostname)} is another host now: connect again`);
      const identity = authorize(context, this.person, node, this.login);
      const gone = this.#logins.find((each) => !decide(context, identity, node, each).allowed);
      if (gone !== undefined) return ended("access_denied", `you may not log in to ${escapeLine(node.hostname)} as ${escapeLine(gone)} any more: connect again`);
      const options = identity.roles.options();
      if (this.mode === "off" && modeFor(context, options) === "proxy") return ended("access_denied", "your sessions are recorded from now on: connect again");
      if (this.options.forceCommands[0] !== options.forceCommands[0]) return ended("access_denied", "your roles force another command upon you now: connect again");
      const withdrawn = allowances.find(([option]) => this.options[option] && !options[option]);
      if (withdrawn !== undefined) return ended("access_denied", `your roles allow no ${withdrawn[1]} any more: connect again`);
      if (this.mode === "proxy" && this.options.recordSession !== options.recordSession) return ended("access_denied", "your sessions are recorded in another way from now on: connect again");
      const lock = live.sid === undefined ? undefined : context.gatekeeper.sessionLock(identity, { node: [node.hostname, node.id], login: this.login }, live.sid);
      if (lock !== undefined) return ended("access_denied", lock.text, lock.lock);
      const idle = idleReason(live, now, options.clientIdleTimeout, context.options.clientIdleTimeout);
      return idle === undefined ? undefined : { code: 408, message: idle };
    } catch (error) {
      return lostBy(context, error);
    }
  }
}

/** Why a person may no longer be connected at all, if so; where they may, `more` is asked. Never throws. */
export function personLost(context: Pick<SshContext, "logger">, person: Person, more: (identity: Identity) => Lost | undefined = () => undefined): Lost | undefined {
  try {
    return more(person.identity());
  } catch (error) {
    return lostBy(context, error);
  }
}

function lostBy({ logger }: Pick<SshContext, "logger">, error: unknown): Lost {
  if (error instanceof GatehouseError && error.code !== "internal") return { code: error.status, message: `access ended: ${error.message}`, lock: lockOf(error) };
  logger.error({ error: errorMessage(error) }, "a live SSH connection could not be decided anew and was ended");
  return { code: 500, message: "access ended: the gateway could not decide it anew" };
}

function ended(code: "access_denied", why: string, lock?: string): Lost {
  return { code: new GatehouseError(code, why).status, message: `access ended: ${why}`, lock };
}
