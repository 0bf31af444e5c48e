import { GatehouseError, systemClock } from "@gatehouse/core/base";
import { openOwnConnection, openSession, type OwnSession } from "@gatehouse/core/client/own-ssh";
import type { ChosenHost } from "@gatehouse/core/client/ssh";
import type { Output } from "@gatehouse/core/client/terminal";
import type { HostSession } from "./hosts.ts";
import type { HostRunner } from "./many.ts";

/** The flags of `tsh ssh` that matter here. */
export interface OwnFlags {
  readonly tty: boolean;
  readonly "no-tty": boolean;
  readonly "recording-info": boolean;
  readonly forward?: readonly string[] | undefined;
  readonly "remote-forward"?: readonly string[] | undefined;
  readonly "dynamic-forward"?: readonly string[] | undefined;
  readonly option?: readonly string[] | undefined;
  readonly "forward-agent": boolean;
  readonly "no-command": boolean;
  readonly "local-command"?: string | undefined;
}

/** What only OpenSSH does. */
const foreign = { forward: "-L", "remote-forward": "-R", "dynamic-forward": "-D", option: "-o", "forward-agent": "-A", "no-command": "-N", "local-command": "--local-command" } as const;

const banner = (text: string): void => void process.stderr.write(text);

/** Lets `~.` at the start of a line end a connection that answers no more, as in OpenSSH: Ctrl-C goes to the host. */
function watchEscape(onEscape: () => void): (chunk: Buffer) => Buffer {
  let state: "start" | "middle" | "tilde" = "start";
  return (chunk) => {
    const passed: number[] = [];
    for (const byte of chunk) {
      if (state === "tilde") {
        state = "middle";
        if (byte === 0x2e) {
          onEscape();
          return Buffer.alloc(0);
        }
        if (byte !== 0x7e) passed.push(0x7e);
      } else if (state === "start" && byte === 0x7e) {
        state = "tilde";
        continue;
      }
      passed.push(byte);
      state = byte === 0x0d || byte === 0x0a ? "start" : "middle";
    }
    return Buffer.from(passed);
  };
}

/** Gives the terminal to the session until it ends. Resolves with its exit code. */
async function onTerminal({ channel, exit }: OwnSession): Promise<number> {
  const { stdin, stdout } = process;
  let cut = (): void => undefined;
  const escaped = new Promise<number>((resolve) => (cut = () => resolve(255)));
  const escape = watchEscape(cut);
  const resize = (): void => channel.setWindow(stdout.rows, stdout.columns, 0, 0);
  const raw = stdin.isTTY;
  stdout.on("resize", resize);
  if (raw) stdin.setRawMode(true);
  stdin.on("data", (chunk: Buffer) => {
    const passed = raw ? escape(chunk) : chunk;
    if (passed.length > 0 && !channel.write(passed)) {
      stdin.pause();
      channel.once("drain", () => stdin.resume());
    }
  });
  stdin.once("end", () => channel.end());
  channel.pipe(stdout, { end: false });
  channel.stderr.pipe(process.stderr, { end: false });
  try {
    return await Promise.race([exit, escaped]);
  } finally {
    stdout.off("resize", resize);
    if (raw) stdin.setRawMode(false);
    stdin.destroy();
  }
}

/** A session on one host without OpenSSH. Resolves with its exit code. */
export async function runWithoutOpenSsh(hosts: HostSession, host: ChosenHost, flags: OwnFlags, command: readonly string[], output: Output): Promise<number> {
  const wanted = Object.entries(foreign).find(([name]) => {
    const value = flags[name as keyof typeof foreign];
    return value !== undefined && value !== false;
  });
  if (wanted) throw new GatehouseError("not_implemented", `${wanted[1]} needs OpenSSH, and ${process.argv.includes("--no-openssh") ? "--no-openssh was given" : "there is none on PATH"}`, { hint: "install OpenSSH's client" });
  const connection = await openOwnConnection(hosts.session.record, host, { now: systemClock.now(), onBanner: banner });
  try {
    if (flags["recording-info"]) output.stderr.write(`tsh: ${connection.host.mode === "proxy" ? "the gateway records this session" : "this session is not recorded"} (${host.shown})\n`);
    const wantsTerminal = flags.tty || (command.length === 0 && process.stdin.isTTY && !flags["no-tty"]);
    const terminal = wantsTerminal ? { term: process.env["TERM"] ?? "xterm", columns: process.stdout.columns || 80, rows: process.stdout.rows || 24 } : undefined;
    return await onTerminal(await openSession(connection, command.length === 0 ? undefined : command.join(" "), terminal));
  } finally {
    connection.close();
  }
}

/** Runs a command on one of many hosts. */
export function ownRunner(hosts: HostSession, command: readonly string[]): HostRunner {
  return {
    async run(host, take) {
      const connection = await openOwnConnection(hosts.session.record, host, { now: systemClock.now() });
      try {
        const { channel, exit } = await openSession(connection, command.join(" "), undefined);
        channel.end();
        const [code] = await Promise.all([exit, take.stdout(channel), take.stderr(channel.stderr)]);
        return code;
      } finally {
        connection.close();
      }
    },
  };
}
