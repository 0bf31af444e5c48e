import type { Socket } from "node:net";
import { GatehouseError } from "@gatehouse/core/base";
import { agentProtocol, isPipeNonce, isPipeProof, pipeNonce, pipeProof } from "@gatehouse/core/client/local-agent";

async function next(lines: AsyncGenerator<string>, field: string): Promise<unknown> {
  const line = await lines.next();
  if (line.done === true) return undefined;
  try {
    const parsed: unknown = JSON.parse(line.value);
    return typeof parsed === "object" && parsed !== null ? (parsed as Readonly<Record<string, unknown>>)[field] : undefined;
  } catch {
    // Who does not speak of proofs proves nothing.
    return undefined;
  }
}

/** The agent's part of what both ends of a named pipe prove to each other, before the first request. Throws `access_denied` for a client that does not know the secret. */
export async function proveToCommand(lines: AsyncGenerator<string>, socket: Socket, secret: string): Promise<void> {
  const refused = new GatehouseError("access_denied", "this pipe is its owner's alone");
  const asked = await next(lines, "prove");
  if (!isPipeNonce(asked)) throw refused;
  const nonce = pipeNonce();
  socket.write(`${JSON.stringify({ v: agentProtocol, proof: pipeProof(secret, "agent", asked), nonce })}\n`);
  if (!isPipeProof(await next(lines, "proof"), pipeProof(secret, "command", nonce))) throw refused;
}
