import { GatehouseError } from "@gatehouse/core/base";
import type { AgentVerb, AgentVerbs } from "@gatehouse/core/client/local-agent";

/** What a field may be. By hand: a library of schemas would be half of what the agent holds in memory all day. */
type Field = (value: unknown) => boolean;

const text = (least: number, most: number): Field => (value) => typeof value === "string" && value.length >= least && value.length <= most;
const orAbsent = (field: Field): Field => (value) => value === undefined || field(value);

/** Name of a profile or of an entry in a keystore. */
const name = text(1, 512);
const passphrase = { passphrase: text(0, 4096) };

/** Every field that each verb takes, besides `v` and `verb`. */
const fields: { readonly [V in AgentVerb]: { readonly [F in keyof Required<AgentVerbs[V]["request"]>]: Field } } = {
  hello: { sshAgent: orAbsent(text(0, 1024)) },
  status: {},
  credentials: { profile: name },
  relogin: { profile: name },
  "secret-get": { account: name },
  "secret-set": { account: name, text: text(0, 256 * 1024) },
  "secret-delete": { account: name },
  lock: passphrase,
  unlock: passphrase,
  handover: {},
  stop: {},
};

/** Whether this agent knows a verb. */
export const isVerb = (verb: string): verb is AgentVerb => Object.hasOwn(fields, verb);

/** Checks that a request has the fields of its verb, each as it may be, and no other. Throws `bad_parameter`, which quotes nothing of it: it may be a key. */
export function checkRequest<V extends AgentVerb>(verb: V, request: Readonly<Record<string, unknown>>): asserts request is AgentVerbs[V]["request"] {
  const known: Readonly<Record<string, Field>> = fields[verb];
  const wrong = Object.keys(known).filter((field) => !known[field]?.(Object.hasOwn(request, field) ? request[field] : undefined));
  if (Object.keys(request).some((field) => !Object.hasOwn(known, field))) wrong.push("a field that it does not have");
  if (wrong.length > 0) throw new GatehouseError("bad_parameter", `the request "${verb}" is not as it should be: ${wrong.join(", ")}`);
}

/** What every line has, whatever the version of its sender. */
export interface RequestLine {
  readonly v: number;
  readonly verb: string;
  /** Its other fields, not checked. */
  readonly request: Readonly<Record<string, unknown>>;
}

/** Splits a line's JSON; undefined for what is no request of any version. */
export function readLine(value: unknown): RequestLine | undefined {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return undefined;
  const { v, verb, ...request } = value as Readonly<Record<string, unknown>>;
  return Number.isSafeInteger(v) && typeof verb === "string" && verb.length <= 64 ? { v: v as number, verb, request } : undefined;
}
