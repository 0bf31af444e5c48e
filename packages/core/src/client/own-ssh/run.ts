import { constants } from "node:os";
import type { ClientChannel, PseudoTtyOptions } from "ssh2";
import type { OwnConnection } from "./connect.ts";

/** A terminal's size and kind, as a session asks for it. */
export interface TerminalRequest {
  readonly term: string;
  readonly columns: number;
  readonly rows: number;
}

/** Opens a session: a shell where there is no command. Throws what the connection throws, or the host's refusal. */
export async function openSession(connection: OwnConnection, command: string | undefined, terminal: TerminalRequest | undefined): Promise<ClientChannel> {
  const pty: PseudoTtyOptions | undefined = terminal && { term: terminal.term, cols: terminal.columns, rows: terminal.rows, width: 0, height: 0 };
  const opened = new Promise<ClientChannel>((resolve, reject) => {
    const done = (error: Error | undefined, channel: ClientChannel): void => (error === undefined ? resolve(channel) : reject(error));
    if (command === undefined) connection.client.shell(pty ?? false, done);
    else connection.client.exec(command, pty === undefined ? {} : { pty }, done);
  });
  return Promise.race([opened, connection.lost]);
}

/** How the session ended: its exit status; 128 and the number for a signal; 255 where the host did not say. */
export function exitOf(connection: OwnConnection, channel: ClientChannel): Promise<number> {
  const exit = new Promise<number>((resolve) => {
    let code = 255;
    channel.on("exit", (status: number | null, signal?: string) => {
      code = status ?? 128 + (constants.signals[`SIG${(signal ?? "").replace(/^SIG/, "")}` as NodeJS.Signals] as number | undefined ?? 127);
    });
    channel.on("close", () => resolve(code));
  });
  return Promise.race([exit, connection.lost]);
}
