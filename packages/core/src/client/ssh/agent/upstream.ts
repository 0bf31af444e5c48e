import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { GatehouseError } from "../../../base/index.ts";
import { agentFrame, createAgentFrames } from "../../../formats/ssh/index.ts";

/** Another agent, asked one thing at a time. */
export interface UpstreamAgent {
  /**
   * The answer's payload; undefined where there is no agent, or it broke off. No time limit: it may be waiting for a person who has to touch a key. `prompt`: no person is needed
   * for this, and an agent that does not answer in time is none.
   */
  ask(payload: Buffer, prompt?: boolean): Promise<Buffer | undefined>;
  close(): void;
}

/** How another agent is reached. */
export interface UpstreamOptions {
  /** The path to connect to for a path that is given; undefined where that is not to be used. As given where absent. */
  readonly locate?: ((path: string) => Promise<string | undefined>) | undefined;
  /** ms that it may take for what needs no person. */
  readonly time?: number | undefined;
}

/** More than an agent takes that asks a smart card what is on it. */
const patience = 10_000;

/** The agent that listens at a path, connected to when it is first asked. Without a path nothing answers. */
export function upstreamAgent(path: string | undefined, { locate, time = patience }: UpstreamOptions = {}): UpstreamAgent {
  let socket: Socket | undefined;
  let broken = path === undefined || path === "";
  const frames = createAgentFrames();
  const answers: Buffer[] = [];
  let wake = (): void => undefined;

  const open = async (given: string): Promise<Socket> => {
    const at = locate ? await locate(given) : given;
    if (at === undefined) throw new GatehouseError("access_denied", "the agent behind is not to be used");
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
    async ask(payload, prompt = false) {
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
      const asked = socket;
      const timer = prompt ? setTimeout(() => asked.destroy(), time) : undefined;
      try {
        for (;;) {
          const answer = answers.shift();
          if (answer) return answer;
          // Changes while it is waited for.
          if (broken as boolean) return undefined;
          await new Promise<void>((resolve) => (wake = resolve));
        }
      } finally {
        clearTimeout(timer);
      }
    },
    close() {
      broken = true;
      socket?.destroy();
      wake();
    },
  };
}
