import { SshReader } from "./ssh-wire.ts";

const what = "what a key for the SSH agent may be used for";
const constraint = { lifetime: 1, confirm: 2, extension: 255 } as const;
/** OpenSSH's bound, and the longest name of a user or host. */
const limits = { destinations: 1024, name: 1024 } as const;

/** One end of a hop that a key may be used for (OpenSSH's PROTOCOL.agent §2). */
export interface AgentHop {
  /** Pattern of login names; undefined for any. */
  readonly user: string | undefined;
  /** Undefined where it is the agent's own machine. */
  readonly hostname: string | undefined;
  /** Keys of the host, in wire form; of an authority that signs hosts' certificates where `isAuthority`. */
  readonly keys: readonly { readonly blob: Buffer; readonly isAuthority: boolean }[];
}

/** A hop that a key may be used for. */
export interface AgentDestination {
  readonly from: AgentHop;
  readonly to: AgentHop;
}

/** What a key may be used for. */
export interface AgentConstraints {
  /** Seconds from now on. */
  readonly lifetime: number | undefined;
  /** The person is asked at every use. */
  readonly confirm: boolean;
  /** Undefined: anything. */
  readonly destinations: readonly AgentDestination[] | undefined;
  /** What {@link destinations} were read from. */
  readonly encodedDestinations: Buffer | undefined;
}

function name(reader: SshReader): string | undefined {
  const text = reader.text();
  if (text.length > limits.name) throw reader.error("a name is too long");
  return text === "" ? undefined : text;
}

function readHop(reader: SshReader): AgentHop {
  const [user, hostname] = [name(reader), name(reader)];
  if (reader.string().length > 0) throw reader.error("a hop has extensions that are not known");
  const keys: { readonly blob: Buffer; readonly isAuthority: boolean }[] = [];
  while (reader.remaining > 0) {
    const blob = Buffer.from(reader.string());
    if (blob.length === 0) throw reader.error("a host's key is empty");
    keys.push({ blob, isAuthority: reader.boolean() });
  }
  return { user, hostname, keys };
}

/** Reads what `restrict-destination-v00@openssh.com` carries. Throws `bad_parameter` for what OpenSSH's agent refuses. */
export function parseAgentDestinations(bytes: Buffer): readonly AgentDestination[] {
  const reader = new SshReader(bytes, what);
  const destinations: AgentDestination[] = [];
  while (reader.remaining > 0) {
    if (destinations.length === limits.destinations) throw reader.error(`more than ${limits.destinations} destinations`);
    const inner = new SshReader(reader.string(), what);
    const [from, to] = [readHop(new SshReader(inner.string(), what)), readHop(new SshReader(inner.string(), what))];
    if (inner.string().length > 0) throw inner.error("a destination has extensions that are not known");
    inner.end();
    if ((from.hostname === undefined) !== (from.keys.length === 0) || from.user !== undefined) throw inner.error("where a hop begins is contradictory");
    if (to.hostname === undefined || to.keys.length === 0) throw inner.error("where a hop ends is missing");
    destinations.push({ from, to });
  }
  // OpenSSH's agent takes a list of none for no limit at all.
  if (destinations.length === 0) throw reader.error("no destination");
  return destinations;
}

/** Reads what follows a key and its comment, to the end. Throws `bad_parameter`: a constraint given twice, or one that is not known and so could not be kept. */
export function readAgentConstraints(reader: SshReader): AgentConstraints {
  let lifetime: number | undefined;
  let confirm = false;
  let encodedDestinations: Buffer | undefined;
  while (reader.remaining > 0) {
    const kind = reader.byte();
    if (kind === constraint.lifetime && lifetime === undefined) lifetime = reader.uint32();
    else if (kind === constraint.confirm && !confirm) confirm = true;
    else if (kind === constraint.extension && reader.text() === "restrict-destination-v00@openssh.com" && encodedDestinations === undefined) encodedDestinations = Buffer.from(reader.string());
    else throw reader.error("a constraint that is not known, or is given twice");
  }
  const destinations = encodedDestinations === undefined ? undefined : parseAgentDestinations(encodedDestinations);
  return { lifetime, confirm, destinations, encodedDestinations };
}
