import { GatehouseError, errorMessage, escapeLine, refusalId } from "../../../base/index.ts";
import { connectTransport, serveTransport } from "../../../ssh/index.ts";
import type { AuthAttempt, AuthVerdict, Transport } from "../../../ssh/index.ts";
import { refusedEvent } from "./services.ts";
import type { BridgeContext } from "./services.ts";
import type { LoginGrant, RecordedConnection } from "./types.ts";

/** Probes for hosts that say nothing, ms. */
const keepAliveTime = 30_000;

/** A person who is in, and the host that has let the gateway in on their behalf. */
export interface Entered {
  readonly grant: LoginGrant;
  readonly client: Transport;
  readonly host: Transport;
}

/**
 * Lets a person in: the login is decided when the client asks for it, and the client is told that it is in only once the host has taken the gateway. What is
 * refused is told before the connection is closed. Rejects where nobody came in.
 */
export async function enter(context: BridgeContext, connection: RecordedConnection): Promise<Entered> {
  const gone = new AbortController();
  let reached: { readonly grant: LoginGrant; readonly host: Transport } | undefined;
  const authenticate = async (attempt: AuthAttempt): Promise<AuthVerdict> => {
    if (!connection.isOwn(attempt)) return { accept: false };
    if (attempt.method === "publickey" && !attempt.proven) return { accept: true };
    const banners: string[] = [];
    try {
      const grant = await connection.admit(attempt.user);
      reached = { grant, host: await reach(context, connection, grant, gone.signal, banners) };
      return { accept: true, ...(banners.length === 0 ? {} : { banner: banners.join("") }) };
    } catch (error) {
      const { message, id } = told(context, error);
      return { accept: false, banner: `${banners.join("")}${message} (refusal ${id})\r\n`, end: `refused (refusal ${id})` };
    }
  };
  try {
    const client = await serveTransport({ socket: connection.client, hostKeys: connection.hostKeys, limits: connection.limits, clock: context.clock, authenticate });
    // Nobody is let in without it.
    if (reached === undefined) throw new GatehouseError("internal", "a client is in without a host");
    return { ...reached, client };
  } catch (error) {
    gone.abort();
    reached?.host.destroy();
    connection.host.socket.destroy();
    throw error;
  }
}

/** Authenticates to the host with a certificate that is minted for that. */
async function reach(context: BridgeContext, connection: RecordedConnection, grant: LoginGrant, signal: AbortSignal, banners: string[]): Promise<Transport> {
  const { socket, node } = connection.host;
  socket.setKeepAlive(true, keepAliveTime);
  socket.setNoDelay(true);
  const shown = { certificate: false };
  try {
    return await connectTransport({
      socket,
      user: grant.login,
      clock: context.clock,
      signal,
      verifyHost: async (proof) => {
        await connection.host.verify(proof);
        shown.certificate = true;
      },
      credentials: async () => [await grant.mint()],
      onBanner: (text) => banners.push(text),
    });
  } catch (error) {
    // What is refused with an id is in the log already.
    if (error instanceof GatehouseError && error.id !== undefined) throw error;
    const id = refusalId(context.random);
    const refused = error instanceof GatehouseError && error.code === "unauthenticated";
    const message = refused ? `host "${node.hostname}" does not let "${grant.login}" in: it has no such account, or its sshd lets that one do nothing` : `host "${node.hostname}" cannot be reached by SSH: ${errorMessage(error)}${shown.certificate ? "" : ", before it had shown a certificate of this cluster; where it has none, an administrator lets it join: tctl nodes add"}`;
    await new Promise<void>((resolve) => context.recorder.write(refusedEvent(context, connection, grant.login, refused ? errorMessage(error) : message, id), () => resolve()));
    throw new GatehouseError(refused ? "access_denied" : "unavailable", escapeLine(message), { id, cause: error });
  }
}

function told(context: BridgeContext, error: unknown): { readonly message: string; readonly id: string } {
  if (error instanceof GatehouseError && error.id !== undefined) return { message: escapeLine(error.message), id: error.id };
  const id = refusalId(context.random);
  context.logger.error({ id, error: errorMessage(error) }, "an SSH connection could not be decided");
  return { message: "the gateway could not decide this connection", id };
}
