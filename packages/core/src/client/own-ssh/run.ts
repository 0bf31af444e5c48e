import { constants } from "node:os";
import type { ClientChannel, PseudoTtyOptions } from "ssh2";
import type { OwnConnection } from "./connect.ts";

/** A terminal's size and kind, as a session asks for it. */
export interface TerminalRequest {
  readonly term: string;
  readonly columns: number;
  readonly rows: number;
}

/** A command or shell on a host. */
export interface OwnSession {
  readonly channel: ClientChannel;
  /** How it ended: its exit status; 128 and the number for a signal; 255 where the host did not say. Rejects where the connection was lost. */
  readonly exit: Promise<number>;
}

const signalNumber = (name: string): number => (constants.signals as Readonly<Record<string, number>>)[`SIG${name.replace(/^SIG/, "")}`] ?? 127;

function exitOf(channel: ClientChannel): Promise<number> {
  return new Promise((resolve) => {
    let code = 255;
    channel.on("exit", (status: number | null, signal?: string) => {
      code = status ?? 128 + signalNumber(signal ?? "");
    });
    channel.on("close", () => resolve(code));
  });
}

/** Opens a session: a shell where there is no command. Throws what the connection throws, or the host's refusal. */
export async function openSession(connection: OwnConnection, command: string | undefined, terminal: TerminalRequest | undefined): Promise<OwnSession> {
  const pty: PseudoTtyOptions | undefined = terminal && { term: terminal.term, cols: terminal.columns, rows: terminal.rows, width: 0, height: 0 };
  const opened = new Promise<OwnSession>((resolve, reject) => {
    const done = (error: Error | undefined, channel: ClientChannel): void => {
      // Now, not later: a short command's end may come with the answer.
      if (error === undefined) resolve({ channel, exit: Promise.race([exitOf(channel), connection.lost]) });
      else reject(error);
    };
    if (command === undefined) connection.client.shell(pty ?? false, done);
    else connection.client.exec(command, pty === undefined ? {} : { pty }, done);
  });
  return Promise.race([opened, connection.lost]);
}
