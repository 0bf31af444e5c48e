import { once } from "node:events";
import { chmod, stat } from "node:fs/promises";
import { createServer, type Socket } from "node:net";
import { dirname } from "node:path";
import { GatehouseError, systemRandom, type Random } from "../../../base/index.ts";
import { ensurePrivateDirectory } from "../../lean/index.ts";
import { agentDialogue } from "./dialogue.ts";
import type { HeldKeys } from "./held-keys.ts";
import { sharedPath } from "./shared-path.ts";
import { upstreamAgent } from "./upstream.ts";

/** Bytes of a Unix socket's path: 104 on macOS and 108 on Linux, the end's zero among them. */
const maxPath = process.platform === "linux" ? 107 : 103;
/** Who may be connected at once: one `ssh`, and whatever it forwards the agent to. */
const defaultClients = 64;

/** How an agent is offered. */
export interface AgentSocketOptions {
  /** Where clients look: absolute, in a directory that is made, or made to be, its owner's alone. Other processes may offer theirs there too. */
  readonly path: string;
  readonly held: HeldKeys;
  /** Socket of the agent that other keys come from. */
  readonly upstream: string | undefined;
  readonly maxClients?: number | undefined;
  readonly random?: Random | undefined;
  readonly onSigned?: (() => void) | undefined;
}

/** An agent that can be reached. */
export interface AgentSocket {
  /** Takes the agent away and ends who is connected. All is gone when it returns. */
  close(): void;
}

/** Offers an agent at a path. Throws `internal` where that cannot be. */
export async function serveAgent(options: AgentSocketOptions): Promise<AgentSocket> {
  const { path, held, onSigned, maxClients = defaultClients } = options;
  await ensurePrivateDirectory(dirname(path));
  if ((await stat(dirname(path))).uid !== process.getuid?.()) throw new GatehouseError("internal", `${dirname(path)} is not yours: no SSH agent can be offered there`);
  const shared = sharedPath(path, options.random ?? systemRandom);
  const longest = [path, shared.own].find((each) => Buffer.byteLength(each) > maxPath);
  if (longest !== undefined) throw new GatehouseError("internal", `the path of the SSH agent is longer than a socket's may be, ${maxPath} bytes: ${longest}`, { hint: "set TELEPORT_HOME to a shorter one" });

  const clients = new Set<Socket>();
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    socket.on("error", () => undefined);
    if (clients.size >= maxClients) {
      socket.destroy();
      return;
    }
    clients.add(socket);
    socket.once("close", () => clients.delete(socket));
    // The agent behind may have been set to this very path, and would then be asked for ever.
    const upstream = upstreamAgent(options.upstream === path ? undefined : options.upstream);
    // What breaks the protocol is one client's end, which its socket shows.
    agentDialogue(socket, { held, upstream, onSigned }).catch(() => socket.destroy());
  });
  server.listen(shared.own);
  await once(server, "listening");
  await chmod(shared.own, 0o600);
  shared.take();
  return {
    close() {
      shared.leave();
      server.close();
      for (const socket of clients) socket.destroy();
    },
  };
}
