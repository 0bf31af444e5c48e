import { SshReader, SshWriter } from "./ssh-wire.ts";

/**
 * What a request on a channel asks for (RFC 4254 §6, OpenSSH's PROTOCOL), where that is known; its texts are outside text, bytes in them that
 * are no UTF-8 are replaced. Sizes are in characters.
 */
export type ChannelRequest =
  | { readonly kind: "pty"; readonly term: string; readonly columns: number; readonly rows: number }
  | { readonly kind: "window_change"; readonly columns: number; readonly rows: number }
  | { readonly kind: "env"; readonly name: string; readonly value: string }
  | { readonly kind: "shell" }
  | { readonly kind: "exec"; readonly command: string }
  | { readonly kind: "subsystem"; readonly name: string }
  /** Without `SIG`. */
  | { readonly kind: "signal"; readonly name: string }
  | { readonly kind: "x11" }
  | { readonly kind: "agent" }
  | { readonly kind: "exit_status"; readonly status: number }
  /** Without `SIG`. */
  | { readonly kind: "exit_signal"; readonly name: string; readonly coreDumped: boolean; readonly message: string }
  | { readonly kind: "other" };

/** Where a forwarded connection goes to or comes from (RFC 4254 §7, OpenSSH's PROTOCOL §2.4). */
export type ForwardTarget =
  | { readonly kind: "tcp"; readonly host: string; readonly port: number; readonly originHost: string; readonly originPort: number }
  | { readonly kind: "socket"; readonly path: string };

/** Reads the data of a channel request. Throws `bad_parameter` where it is not what its name says. */
export function parseChannelRequest(name: string, data: Uint8Array): ChannelRequest {
  const reader = new SshReader(data, `SSH request ${JSON.stringify(name)}`);
  const text = (): string => reader.string().toString("utf8");
  switch (name) {
    case "pty-req": {
      const request = { kind: "pty", term: text(), ...size(reader) } as const;
      reader.string();
      return whole(reader, request);
    }
    case "window-change":
      return whole(reader, { kind: "window_change", ...size(reader) });
    case "env":
      return whole(reader, { kind: "env", name: text(), value: text() });
    case "shell":
      return whole(reader, { kind: "shell" });
    case "exec":
      return whole(reader, { kind: "exec", command: text() });
    case "subsystem":
      return whole(reader, { kind: "subsystem", name: text() });
    case "signal":
      return whole(reader, { kind: "signal", name: text() });
    case "x11-req":
      reader.boolean();
      reader.string();
      reader.string();
      reader.uint32();
      return whole(reader, { kind: "x11" });
    case "auth-agent-req@openssh.com":
    case "auth-agent-req":
      return whole(reader, { kind: "agent" });
    case "exit-status":
      return whole(reader, { kind: "exit_status", status: reader.uint32() });
    case "exit-signal": {
      const request = { kind: "exit_signal", name: text(), coreDumped: reader.boolean(), message: text() } as const;
      reader.string();
      return whole(reader, request);
    }
    default:
      return { kind: "other" };
  }
}

/** Reads what a channel of one of the kinds of forwarding carries when it is opened; undefined for other kinds. Throws `bad_parameter` for malformed data. */
export function parseForward(kind: string, data: Uint8Array): ForwardTarget | undefined {
  const reader = new SshReader(data, `SSH channel ${JSON.stringify(kind)}`);
  const text = (): string => reader.string().toString("utf8");
  switch (kind) {
    case "direct-tcpip":
    case "forwarded-tcpip":
      return whole(reader, { kind: "tcp", host: text(), port: reader.uint32(), originHost: text(), originPort: reader.uint32() });
    case "direct-streamlocal@openssh.com": {
      const target = { kind: "socket", path: text() } as const;
      reader.string();
      reader.uint32();
      return whole(reader, target);
    }
    case "forwarded-streamlocal@openssh.com": {
      const target = { kind: "socket", path: text() } as const;
      reader.string();
      return whole(reader, target);
    }
    default:
      return undefined;
  }
}

/** Reads what a global request asks to listen on (`tcpip-forward`, `streamlocal-forward@openssh.com` and their cancelling); undefined for other requests. */
export function parseListen(name: string, data: Uint8Array): { readonly address: string } | undefined {
  const reader = new SshReader(data, `SSH request ${JSON.stringify(name)}`);
  switch (name) {
    case "tcpip-forward":
    case "cancel-tcpip-forward": {
      const host = reader.string().toString("utf8");
      return whole(reader, { address: `${host}:${String(reader.uint32())}` });
    }
    case "streamlocal-forward@openssh.com":
    case "cancel-streamlocal-forward@openssh.com":
      return whole(reader, { address: reader.string().toString("utf8") });
    default:
      return undefined;
  }
}

/** Data of an `exit-status` request. */
export function encodeExitStatus(status: number): Buffer {
  return new SshWriter().uint32(status).toBuffer();
}

function size(reader: SshReader): { readonly columns: number; readonly rows: number } {
  const columns = reader.uint32();
  const rows = reader.uint32();
  // In pixels, which nobody uses.
  reader.uint32();
  reader.uint32();
  return { columns, rows };
}

function whole<Value>(reader: SshReader, value: Value): Value {
  reader.end();
  return value;
}
