import { GatehouseError, isErrorCode } from "../../base/index.ts";
import { AgentLocked } from "./locked.ts";

/** Version of what commands and the agent say to each other: two of different ones do not talk. */
export const agentProtocol = 1;

/** Bounds of the conversation. Bytes of one line, its end included; connections; ms. */
export const agentLimits = { request: 512 * 1024, answer: 1024 * 1024, clients: 1024, answerTime: 5000, loginTime: 200_000 } as const;

/** An object without fields. */
type Nothing = Readonly<Record<string, never>>;

/** What an agent is. */
export interface AgentIdentityAnswer {
  readonly version: string;
  /** Changes with every build: an agent of another one is replaced. */
  readonly build: string;
  readonly pid: number;
  /** ms since the epoch. */
  readonly started: number;
  /** It hands nothing over, and so stays, until it is unlocked. */
  readonly locked?: boolean | undefined;
  /** Commands wait for a login in the browser: it hands nothing over, and so stays, until that is made. */
  readonly loggingIn?: boolean | undefined;
}

/** How the renewal of a login stands. `refused`: something at the gateway stands in its way, and it is asked again; `never`: the gateway does not renew this login; `end`: as far as the session goes already. */
export type RenewalState = "waiting" | "retrying" | "refused" | "never" | "end";

/** A login as the agent holds it; nothing of it is secret. */
export interface AgentLogin {
  readonly profile: string;
  readonly proxy: string;
  readonly username: string;
  readonly cluster: string;
  readonly keystore: "keychain" | "file" | "memory";
  /** ms since the epoch. */
  readonly expires: number;
  readonly renewal: RenewalState;
  /** When the gateway is asked next, ms since the epoch. */
  readonly renewsAt?: number | undefined;
}

/** All that an agent tells of itself. */
export interface AgentStatus extends AgentIdentityAnswer {
  readonly locked: boolean;
  readonly logins: readonly AgentLogin[];
  /** Keys that were added by `ssh-add`, and are nobody's login. */
  readonly addedKeys: number;
  readonly clients: number;
  /** Resident memory, bytes. */
  readonly memory: number;
  /** Where ssh finds it. */
  readonly sshSocket: string;
  /** The ssh-agent behind it. */
  readonly upstream: string | undefined;
  readonly relogin: "ask" | "agent";
  /** When it ends if nothing more is asked of it, ms since the epoch. */
  readonly idleExit: number | undefined;
}

/** Every request by its verb: what is asked, and what is answered. */
export interface AgentVerbs {
  /** `sshAgent`: socket of the ssh-agent that the command has in its environment. */
  readonly hello: { readonly request: { readonly sshAgent?: string | undefined }; readonly answer: AgentIdentityAnswer };
  readonly status: { readonly request: Nothing; readonly answer: AgentStatus };
  /** The login of a profile while it is good, as its keystore has it: the text of a `LoginRecord`. */
  readonly credentials: { readonly request: { readonly profile: string }; readonly answer: { readonly record: string | null } };
  /**
   * One new login for everybody who waits, where the person has opted in (`relogin: agent`) and there is a desktop to do it on. Waits for its end.
   * `reason`: why there was none, for people; null where nothing is to be said besides what the caller says anyway.
   */
  readonly relogin: {
    readonly request: { readonly profile: string };
    readonly answer: { readonly record: string | null; readonly reason: string | null };
  };
  /** The keystore `memory`: one text per account, gone with the agent. */
  readonly "secret-get": { readonly request: { readonly account: string }; readonly answer: { readonly text: string | null } };
  readonly "secret-set": { readonly request: { readonly account: string; readonly text: string }; readonly answer: Nothing };
  readonly "secret-delete": { readonly request: { readonly account: string }; readonly answer: { readonly removed: boolean } };
  /** Nothing is signed or given out until the same passphrase comes again. */
  readonly lock: { readonly request: { readonly passphrase: string }; readonly answer: Nothing };
  readonly unlock: { readonly request: { readonly passphrase: string }; readonly answer: Nothing };
  /** All that would be lost with it, for the agent that takes its place; it stops once this is answered. Refused while it is locked, and while somebody waits for a login. */
  readonly handover: { readonly request: Nothing; readonly answer: { readonly state: string } };
  readonly stop: { readonly request: Nothing; readonly answer: Nothing };
}

export type AgentVerb = keyof AgentVerbs;

/** The line of a request. */
export function formatAgentRequest<V extends AgentVerb>(verb: V, request: AgentVerbs[V]["request"]): string {
  return `${JSON.stringify({ v: agentProtocol, verb, ...request })}\n`;
}

/** The line of an answer. */
export function formatAgentAnswer(answer: object): string {
  return `${JSON.stringify({ v: agentProtocol, ok: true, answer })}\n`;
}

/** The line of a refusal. */
export function formatAgentRefusal(error: Pick<GatehouseError, "code" | "message" | "hint">): string {
  const { code, message, hint } = error;
  return `${JSON.stringify({ v: agentProtocol, ok: false, error: { code, message, hint, ...(error instanceof AgentLocked ? { locked: true } : {}) } })}\n`;
}

/** An object as it came, or an empty one. */
export const asObject = (value: unknown): Readonly<Record<string, unknown>> => (typeof value === "object" && value !== null ? (value as Record<string, unknown>) : {});

/**
 * Reads an answer's line; undefined for one of another version of the protocol. The shape of what is answered is the caller's to check where it matters:
 * the agent is this person's own, checked by who owns its socket. Throws the refusal that it is ({@link AgentLocked} where it is locked), `internal` for what is no answer, never quoting it.
 */
export function parseAgentAnswer(line: string): Readonly<Record<string, unknown>> | undefined {
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch {
    // Its SyntaxError would quote what may be a key.
    throw new GatehouseError("internal", "the local agent's answer cannot be read", { hint: "restart it: tsh agent stop" });
  }
  const { v, ok, answer, error } = asObject(value);
  if (v !== agentProtocol) return undefined;
  if (ok === true) return asObject(answer);
  const { code, message, hint, locked } = asObject(error);
  if (locked === true) throw new AgentLocked();
  throw new GatehouseError(typeof code === "string" && isErrorCode(code) ? code : "internal", typeof message === "string" ? message : "the local agent refused", typeof hint === "string" ? { hint } : {});
}
