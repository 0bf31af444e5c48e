import { GatehouseError } from "../base/index.ts";
import { agentLimits } from "./agent-protocol.ts";
import { asBuffer } from "./bytes.ts";

function join(chunks: readonly Buffer[]): Buffer {
  const [only] = chunks;
  if (only && chunks.length === 1) return only;
  const all = Buffer.concat(chunks);
  for (const chunk of chunks) chunk.fill(0);
  return all;
}

/** Takes a stream apart into payloads, however it was cut up. */
export interface AgentFrames {
  /** The payloads that are whole now. Throws `limit_exceeded` for a frame that is too large, `bad_parameter` for an empty one; nothing after that can be read. */
  push(chunk: Uint8Array): readonly Buffer[];
  /** Bytes of a frame that is not whole yet. */
  readonly pending: number;
}

/**
 * Frames of at most `limit` bytes; holds at most one of them, and copies a byte once. What was copied is overwritten, for it may have been a key: the chunks are this function's from then
 * on.
 */
export function createAgentFrames(limit: number = agentLimits.frame): AgentFrames {
  let chunks: Buffer[] = [];
  let pending = 0;
  const head = (): number | undefined => {
    if (pending < 4) return undefined;
    // Once a frame, so that a peer that sends byte by byte costs no more than one that does not.
    if ((chunks[0]?.length ?? 0) < 4) chunks = [join(chunks)];
    const length = chunks[0]?.readUInt32BE() ?? 0;
    if (length === 0) throw new GatehouseError("bad_parameter", "an empty message to the SSH agent");
    if (length > limit) throw new GatehouseError("limit_exceeded", `a message to the SSH agent of ${length} bytes, where ${limit} are the most`);
    return length;
  };
  return {
    get pending() {
      return pending;
    },
    push(chunk) {
      const payloads: Buffer[] = [];
      chunks.push(asBuffer(chunk));
      pending += chunk.length;
      for (let length = head(); length !== undefined && pending >= 4 + length; length = head()) {
        const all = join(chunks);
        payloads.push(all.subarray(4, 4 + length));
        pending -= 4 + length;
        chunks = pending === 0 ? [] : [all.subarray(4 + length)];
      }
      return payloads;
    },
  };
}
