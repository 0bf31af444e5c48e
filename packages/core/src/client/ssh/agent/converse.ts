import type { Duplex } from "node:stream";
import { agentFrame, createAgentFrames } from "../../../formats/ssh/index.ts";
import { Dialogue, type DialogueOptions } from "./dialogue.ts";

/** How long a client may take, ms: for the rest of a request that it has begun, and to take its answers. */
const patience = 10_000;

/** Destroys the socket unless what is under way ends in time. */
function within(socket: Duplex, time: number): { end(): void } {
  const timer = setTimeout(() => socket.destroy(), time);
  return { end: () => clearTimeout(timer) };
}

/** Resolves when the socket takes more, or is gone. */
async function drained(socket: Duplex, time: number): Promise<void> {
  const limit = within(socket, time);
  await new Promise<void>((resolve) => socket.once("drain", resolve).once("close", resolve));
  limit.end();
}

/**
 * Speaks with one client until it goes, or breaks the protocol: then its socket is destroyed. One request is under way at a time; nothing more is read
 * until it is answered and the answer is taken. A client that stops in the middle of a request, or never takes its answers, is dropped after `time` ms. `refresh` is awaited before
 * each request is answered.
 */
export async function agentDialogue(socket: Duplex, options: DialogueOptions & { readonly time?: number | undefined; readonly refresh?: (() => Promise<void>) | undefined }): Promise<void> {
  const { time = patience, refresh } = options;
  const dialogue = new Dialogue(options);
  const frames = createAgentFrames();
  let half: { end(): void } | undefined;
  try {
    for await (const chunk of socket as AsyncIterable<Buffer>) {
      for (const payload of frames.push(chunk)) {
        half?.end();
        half = undefined;
        await refresh?.();
        const answer = agentFrame(await dialogue.answer(payload));
        if (!socket.write(answer)) await drained(socket, time);
      }
      if (frames.pending > 0) half ??= within(socket, time);
    }
    socket.end();
  } finally {
    half?.end();
    options.upstream.close();
    socket.destroy();
  }
}
