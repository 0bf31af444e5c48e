import { once } from "node:events";
import { createServer, type AddressInfo } from "node:net";

const cookieName = "MIT-MAGIC-COOKIE-1";

/** What a stand-in X server was shown by one client. */
export interface Shown {
  readonly protocol: string;
  /** Hex. */
  readonly cookie: string;
  readonly accepted: boolean;
}

/** A stand-in for an X server: it checks the cookie of each connection, and gives an accepted one its bytes back. */
export interface XServer {
  /** For `DISPLAY`. */
  readonly display: string;
  readonly shown: readonly Shown[];
  close(): Promise<void>;
}

const padded = (length: number): number => (length + 3) & ~3;

/** The beginning of a connection (X11 protocol, encoding, "Connection Setup"); undefined while it is incomplete. Little-endian clients alone. */
function readSetup(bytes: Buffer): { readonly protocol: string; readonly cookie: string; readonly size: number } | undefined {
  if (bytes.length < 12) return undefined;
  const [name, data] = [bytes.readUInt16LE(6), bytes.readUInt16LE(8)];
  const size = 12 + padded(name) + padded(data);
  if (bytes.length < size) return undefined;
  const at = 12 + padded(name);
  return { protocol: bytes.toString("latin1", 12, 12 + name), cookie: bytes.toString("hex", at, at + data), size };
}

/** Listens on loopback for X clients that show this cookie (hex). */
export async function startXServer(cookie: string): Promise<XServer> {
  const shown: Shown[] = [];
  const server = createServer((socket) => {
    let bytes = Buffer.alloc(0);
    const onData = (chunk: Buffer): void => {
      bytes = Buffer.concat([bytes, chunk]);
      const setup = readSetup(bytes);
      if (setup === undefined) return;
      socket.off("data", onData);
      const accepted = setup.protocol === cookieName && setup.cookie === cookie;
      shown.push({ protocol: setup.protocol, cookie: setup.cookie, accepted });
      // Success or failure, version 11.0, and nothing more.
      socket.write(Buffer.of(accepted ? 1 : 0, 0, 11, 0, 0, 0, 0, 0));
      if (accepted) {
        socket.write(bytes.subarray(setup.size));
        socket.pipe(socket);
      } else socket.end();
    };
    socket.on("data", onData).on("error", () => socket.destroy());
  });
  // A display is a port from 6000 on.
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    display: `127.0.0.1:${String((server.address() as AddressInfo).port - 6000)}.0`,
    shown,
    close: async () => {
      server.close();
      await once(server, "close");
    },
  };
}

/** A program for a host: as an X client it shows the cookie that `xauth` has for `DISPLAY`, or that of its argument (hex), sends a line and prints what it hears. */
export const xClient = `
import { execFileSync } from "node:child_process";
import { connect } from "node:net";
const display = process.env.DISPLAY;
if (!display) { console.log("no display"); process.exit(0); }
const listed = execFileSync("xauth", ["list", display], { encoding: "utf8" }).trim().split(/\\s+/);
const [name, cookie] = [listed[1], Buffer.from(process.argv[2] ?? listed[2], "hex")];
const [host, screen] = display.split(":");
const head = Buffer.alloc(12 + ((name.length + 3) & ~3));
head.write("l", 0);
head.writeUInt16LE(11, 2);
head.writeUInt16LE(name.length, 6);
head.writeUInt16LE(cookie.length, 8);
head.write(name, 12);
const socket = connect(6000 + Number.parseInt(screen, 10), host);
let heard = Buffer.alloc(0);
socket.write(Buffer.concat([head, cookie]));
const say = "drawn on the screen";
socket.on("data", (chunk) => {
  const before = heard.length;
  heard = Buffer.concat([heard, chunk]);
  if (before < 8 && heard.length >= 8 && heard[0] === 1) socket.write(say);
  if (heard.length >= 8 + say.length) socket.end();
});
socket.on("error", () => undefined);
socket.on("close", () => console.log(JSON.stringify({ cookie: listed[2], status: heard[0] ?? "closed", heard: heard.toString("latin1", 8) })));
`;
