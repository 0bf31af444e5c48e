import { createHmac, timingSafeEqual } from "node:crypto";
import { readFileSync } from "node:fs";
import type { Socket } from "node:net";
import { randomHex, systemErrorCode, systemRandom } from "../../base/index.ts";
import { AgentPlaceRefused, type AgentPlace } from "./place.ts";
import { agentProtocol, asObject } from "./protocol.ts";
import { readLine } from "./read-line.ts";

/**
 * Both ends of a named pipe prove that they can read a file which is the person's alone: who opened a pipe's name first is not seen on Windows, and whoever did would be
 * sent what is meant for the agent. A command begins with `{"v":1,"prove":NONCE}`; the agent answers `{"v":1,"proof":…,"nonce":NONCE}`; the command goes on with
 * `{"v":1,"proof":…}`, and its requests follow. A proof is HMAC-SHA-256 over who proves and the other's nonce, in hex.
 */
export const pipeProof = (secret: string, who: "agent" | "command", nonce: string): string => createHmac("sha256", secret).update(`gatehouse ${who} ${nonce}`).digest("hex");

/** Whether what came is the proof. */
export const isPipeProof = (came: unknown, proof: string): boolean => typeof came === "string" && came.length === proof.length && timingSafeEqual(Buffer.from(came), Buffer.from(proof));

/** Whether what came can be a nonce: 128 bits, in hex. */
export const isPipeNonce = (came: unknown): came is string => typeof came === "string" && /^[0-9a-f]{32}$/.test(came);

/** A nonce that nobody can foresee. */
export const pipeNonce = (): string => randomHex(systemRandom, 16);

function readSecret(path: string): string | undefined {
  try {
    return readFileSync(path, "utf8").trim();
  } catch (error) {
    if (systemErrorCode(error) === "ENOENT") return undefined;
    throw new AgentPlaceRefused(path, `cannot be read (${systemErrorCode(error) ?? "unknown"})`);
  }
}

function parse(line: string): Readonly<Record<string, unknown>> {
  try {
    return asObject(JSON.parse(line));
  } catch {
    // It is no agent's answer, which is all that matters.
    return {};
  }
}

/** The command's part. False where no agent runs, or one of another version of the protocol. Throws {@link AgentPlaceRefused} where somebody else answers; nothing of the request was sent then. */
export async function proveBoth(socket: Socket, { control, secret: path }: Pick<AgentPlace, "control"> & { readonly secret: string }, time: number): Promise<boolean> {
  const secret = readSecret(path);
  if (secret === undefined || secret === "") return false;
  const nonce = pipeNonce();
  socket.write(`${JSON.stringify({ v: agentProtocol, prove: nonce })}\n`);
  const line = await readLine(socket, time);
  if (line === undefined) return false;
  const answer = parse(line);
  if (!isPipeProof(answer["proof"], pipeProof(secret, "agent", nonce)) || !isPipeNonce(answer["nonce"])) throw new AgentPlaceRefused(control, "is answered by somebody who cannot read what this person's agent wrote", "tsh agent stop, then tsh agent start");
  socket.write(`${JSON.stringify({ v: agentProtocol, proof: pipeProof(secret, "command", answer["nonce"]) })}\n`);
  return true;
}
