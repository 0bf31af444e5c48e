import { once } from "node:events";
import { connect, createServer, type AddressInfo, type Socket } from "node:net";
import { Duplex } from "node:stream";
import { onTestFinished } from "vitest";
import { SshWriter } from "../formats/index.ts";
import { certifySshKey, newSshKey } from "../testing/index.ts";
import { connectTransport, serveTransport, type ConnectOptions, type ServeOptions, type Transport } from "./index.ts";
import { Connection } from "./transport.ts";

export const authority = newSshKey();
export const hostKey = newSshKey();
export const hostKeys = [{ privateKey: hostKey, certificate: certifySshKey(authority, hostKey, "host", ["web-1"]) }];

/** Both ends of a connection on loopback, until the test is over. */
export async function socketPair(): Promise<[Socket, Socket]> {
  const server = createServer({ allowHalfOpen: false });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const client = connect((server.address() as AddressInfo).port, "127.0.0.1");
  const [[accepted]] = (await Promise.all([once(server, "connection"), once(client, "connect")])) as [[Socket], unknown];
  server.close();
  client.on("error", () => undefined);
  onTestFinished(() => {
    client.destroy();
    accepted.destroy();
  });
  return [client, accepted];
}

/** A socket whose bytes go out as `change` makes them, in pieces. */
export function through(outgoing: Socket, change: (chunk: Buffer) => readonly Buffer[]): Duplex {
  const socket = new Duplex({
    read: () => undefined,
    write: (chunk: Buffer, _encoding, done) => {
      const pieces = change(chunk);
      const next = (at: number): void => {
        const piece = pieces[at];
        if (piece) outgoing.write(piece, () => setImmediate(next, at + 1));
        else done();
      };
      next(0);
    },
    final: (done) => outgoing.end(done),
  });
  outgoing.on("data", (chunk: Buffer) => socket.push(chunk));
  outgoing.on("end", () => socket.push(null));
  return socket;
}

export const accept: ServeOptions["authenticate"] = () => ({ accept: true });

/** A client and a server that have authenticated: as told, else everybody. */
export async function pair(client: Partial<ConnectOptions> = {}, server: Partial<ServeOptions> = {}): Promise<[Transport, Transport]> {
  const [outgoing, incoming] = await socketPair();
  return Promise.all([
    connectTransport({ socket: outgoing, user: "ana", verifyHost: () => undefined, credentials: () => [{ method: "none" }], ...client }),
    serveTransport({ socket: incoming, hostKeys, authenticate: accept, ...server }),
  ]);
}

/** A client that says what it likes: key exchange by the room's own connection, then the given messages. */
export async function rawClient(server: Partial<ServeOptions>, talk: (connection: Connection, messages: (count: number) => Promise<Buffer[]>) => Promise<void>): Promise<void> {
  const [outgoing, incoming] = await socketPair();
  const served = serveTransport({ socket: incoming, hostKeys, authenticate: accept, ...server });
  served.catch(() => undefined);
  const got: Buffer[] = [];
  let more: () => void = () => undefined;
  const messages = async (count: number): Promise<Buffer[]> => {
    while (got.length < count) await new Promise<void>((resolve) => (more = resolve));
    return got;
  };
  await new Promise<void>((resolve, reject) => {
    const connection: Connection = new Connection({ accept: "any", verify: (_, accepted) => accepted() }, { socket: outgoing }, {
      onKeys: () => {
        talk(connection, messages).then(resolve, reject);
      },
      onMessage: (payload) => {
        got.push(payload);
        more();
      },
      onFailed: (error) => {
        got.push(Buffer.from(error.message));
        more();
      },
    });
  });
}

export const newMessage = (number: number): SshWriter => new SshWriter().raw(Buffer.of(number));
export const service = newMessage(5).string("ssh-userauth").toBuffer();
export const request = (method: string): SshWriter => newMessage(50).string("ana").string("ssh-connection").string(method);
