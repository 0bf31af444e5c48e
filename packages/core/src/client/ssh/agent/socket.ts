import { once } from "node:events";
import { chmod, stat } from "node:fs/promises";
import { dirname } from "node:path";
import { GatehouseError, systemRandom, type Random } from "../../../base/index.ts";
import { ensurePrivateDirectory } from "../../lean/index.ts";
import { agentClients } from "./clients.ts";
import { agentDialogue } from "./converse.ts";
import type { HeldKeys } from "./held-keys.ts";
import { sharedPath } from "./shared-path.ts";
import { upstreamAgent } from "./upstream.ts";

/** Bytes of a Unix socket's path: 104 on macOS and 108 on Linux, the end's zero among them. */
export const maxSocketPath = process.platform === "linux" ? 107 : 103;
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
  const longest = [path, shared.own].find((each) => Buffer.byteLength(each) > maxSocketPath);
  if (longest !== undefined) throw new GatehouseError("internal", `the path of the SSH agent is longer than a socket's may be, ${maxSocketPath} bytes: ${longest}`, { hint: "set TELEPORT_HOME to a shorter one" });

  // The agent behind may have been set to this very path, and would then be asked for ever.
  const behind = options.upstream === path ? undefined : options.upstream;
  const clients = agentClients(maxClients, (socket) => agentDialogue(socket, { held, upstream: upstreamAgent(behind), onSigned }));
  const { server } = clients;
  server.listen(shared.own);
  await once(server, "listening");
  await chmod(shared.own, 0o600);
  shared.take();
  return {
    close() {
      shared.leave();
      clients.close();
    },
  };
}
