import { GatehouseError } from "../../../base/index.ts";
import { parseSessionBind, parseSshCertificate, sshVerify, type AgentSessionBind } from "../../../formats/ssh/index.ts";

/** OpenSSH's bound. */
const maxBindings = 16;

/** A session that a socket of the agent was bound to, verified: the last one is that which asks. */
export type SessionBinding = Pick<AgentSessionBind, "hostKey" | "sessionId" | "isForwarding">;

/** Which sessions a client's socket belongs to, as its `ssh` said with `session-bind@openssh.com`. */
export interface SessionBindings {
  /** In the order of the hops. */
  readonly all: readonly SessionBinding[];
  /** Somebody tried to bind the socket, and none of it could be verified. */
  readonly hasFailed: boolean;
  /** What asks runs on a host that the agent was forwarded to. True once an `ssh` has said so, verified or not: nobody says it to get more. */
  readonly isForwarded: boolean;
}

/** The key that signs for a host, out of its key or certificate. Throws `bad_parameter`. */
function signingKey(hostKey: Buffer): Buffer {
  const type = hostKey.subarray(4, 4 + (hostKey.length < 4 ? 0 : hostKey.readUInt32BE())).toString("latin1");
  if (!type.includes("-cert-")) return hostKey;
  const { publicKey, signatureKey, signed, signature } = parseSshCertificate(hostKey);
  if (!sshVerify(signatureKey, signed, signature)) throw new GatehouseError("bad_parameter", "the host's certificate has a wrong signature");
  return Buffer.from(publicKey);
}

function isVerified({ hostKey, sessionId, signature }: AgentSessionBind): boolean {
  try {
    return sshVerify(signingKey(hostKey), sessionId, signature);
  } catch (error) {
    // Keys of kinds that are not known here cannot be verified.
    if (error instanceof GatehouseError) return false;
    throw error;
  }
}

/** The bindings of one client's socket. */
export class BoundSessions implements SessionBindings {
  readonly #all: SessionBinding[] = [];
  #attempted = false;
  #forwarded = false;

  get all(): readonly SessionBinding[] {
    return this.#all;
  }

  get hasFailed(): boolean {
    return this.#attempted && this.#all.length === 0;
  }

  get isForwarded(): boolean {
    return this.#forwarded;
  }

  /** Takes the contents of the extension, as OpenSSH's agent does; false for what it refuses. Throws `bad_parameter` for what is malformed. */
  bind(contents: Buffer): boolean {
    this.#attempted = true;
    const asked = parseSessionBind(contents);
    this.#forwarded ||= asked.isForwarding;
    if (!isVerified(asked)) return false;
    for (const known of this.#all) {
      // A socket that was bound for logging in goes no further.
      if (!known.isForwarding) return false;
      if (known.sessionId.equals(asked.sessionId)) return known.hostKey.equals(asked.hostKey);
    }
    if (this.#all.length === maxBindings) return false;
    this.#all.push({ hostKey: Buffer.from(asked.hostKey), sessionId: Buffer.from(asked.sessionId), isForwarding: asked.isForwarding });
    return true;
  }
}
