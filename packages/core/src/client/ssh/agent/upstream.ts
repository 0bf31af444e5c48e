import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { agentFrame, createAgentFrames } from "../../../formats/ssh/index.ts";

/** Another agent, asked one thing at a time. */
export interface UpstreamAgent {
  /** The answer's payload; undefined where there is no agent, or it broke off. */
  ask(payload: Buffer): Promise<Buffer | undefined>;
  close(): void;
}

/**
 * The agent that listens at a path, connected to when it is first asked. No time limit: it may be waiting for a person who has to touch a key. Without
 * a path nothing answers.
 */
export function upstreamAgent(path: string | undefined): UpstreamAgent {
  let socket: Socket | undefined;
  let broken = path === undefined || path === "";
  const frames = createAgentFrames();
  const answers: Buffer[] = [];
  let wake = (): void => undefined;

  const open = async (at: string): Promise<Socket> => {
    const opened = connect(at);
    const fail = (): void => {
      broken = true;
      opened.destroy();
      wake();
    };
    opened.on("error", fail).on("close", fail);
    opened.on("data", (chunk: Buffer) => {
      try {
        answers.push(...frames.push(chunk));
      } catch {
        // What it says after a frame that cannot be read means nothing.
        fail();
      }
      wake();
    });
    await once(opened, "connect");
    return opened;
  };

  return {
    async ask(payload) {
      if (broken || path === undefined) return undefined;
      try {
        socket ??= await open(path);
      } catch {
        // An agent that is gone is as good as none.
        return undefined;
      }
      const frame = agentFrame(payload);
      // It may be a key.
      socket.write(frame, () => frame.fill(0));
      for (;;) {
        const answer = answers.shift();
        if (answer) return answer;
        // Changes while it is waited for.
        if (broken as boolean) return undefined;
        await new Promise<void>((resolve) => (wake = resolve));
      }
    },
    close() {
      broken = true;
      socket?.destroy();
      wake();
    },
  };
}
