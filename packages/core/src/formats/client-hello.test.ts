import { once } from "node:events";
import { createServer, type AddressInfo, type Socket } from "node:net";
import { connect } from "node:tls";
import fc from "fast-check";
import { beforeAll, describe, expect, it } from "vitest";
import { parseClientHello } from "./index.ts";

/** What this Node's own TLS client sends first. */
async function realHello(options: { servername?: string; ALPNProtocols?: string[]; maxVersion?: "TLSv1.2" }): Promise<Buffer> {
  const server = createServer();
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const accepted = once(server, "connection");
  const client = connect({ port: (server.address() as AddressInfo).port, host: "127.0.0.1", rejectUnauthorized: false, ...options });
  client.on("error", () => undefined);
  const [socket] = (await accepted) as [Socket];
  socket.on("error", () => undefined);
  const [bytes] = (await once(socket, "data")) as [Buffer];
  client.destroy();
  socket.destroy();
  server.close();
  return bytes;
}

/** The same handshake message in records of these payload lengths (the last takes the rest). */
function split(hello: Buffer, lengths: readonly number[]): Buffer {
  const message = hello.subarray(5);
  const parts: Buffer[] = [];
  let at = 0;
  for (const length of [...lengths, message.length]) {
    const payload = message.subarray(at, at + length);
    if (payload.length === 0) continue;
    parts.push(Buffer.of(22, 3, 1, payload.length >> 8, payload.length & 0xff), payload);
    at += length;
  }
  return Buffer.concat(parts);
}

/** A hello made of these extensions. */
function build(extensions: readonly (readonly [number, Buffer])[]): Buffer {
  const sized = (size: number, bytes: Buffer): Buffer => {
    const head = Buffer.alloc(size);
    head.writeUIntBE(bytes.length, 0, size);
    return Buffer.concat([head, bytes]);
  };
  const list = Buffer.concat(extensions.map(([type, content]) => Buffer.concat([Buffer.of(type >> 8, type & 0xff), sized(2, content)])));
  const body = Buffer.concat([Buffer.of(3, 3), Buffer.alloc(32), Buffer.of(0), sized(2, Buffer.of(0x13, 1)), Buffer.of(1, 0), sized(2, list)]);
  return Buffer.concat([Buffer.of(22, 3, 1), sized(2, Buffer.concat([Buffer.of(1), sized(3, body)]))]);
}
const serverName = (name: string, type = 0): Buffer => {
  const bytes = Buffer.from(name, "latin1");
  return Buffer.concat([Buffer.of(0, bytes.length + 3, type, 0, bytes.length), bytes]);
};

let hello: Buffer;
beforeAll(async () => {
  hello = await realHello({ servername: "Teleport.Example.com", ALPNProtocols: ["h2", "http/1.1"] });
});
const expected = { state: "hello", serverName: "teleport.example.com", alpn: ["h2", "http/1.1"] };

describe("parseClientHello", () => {
  it("reads Node's own, with and without name and protocols", async () => {
    expect(parseClientHello(hello)).toEqual(expected);
    expect(parseClientHello(await realHello({}))).toEqual({ state: "hello", alpn: [] });
    expect(parseClientHello(await realHello({ servername: "a.example", maxVersion: "TLSv1.2" }))).toEqual({ state: "hello", serverName: "a.example", alpn: [] });
  });

  it("is incomplete at every cut, and whole with anything behind it", () => {
    for (let end = 0; end < hello.length; end++) expect(parseClientHello(hello.subarray(0, end))).toEqual({ state: "incomplete" });
    fc.assert(fc.property(fc.uint8Array(), (more) => {
      expect(parseClientHello(Buffer.concat([hello, more]))).toEqual(expected);
    }));
  });

  it("reads it over any number of records, cut anywhere", () => {
    fc.assert(fc.property(fc.array(fc.integer({ min: 1, max: 60 }), { maxLength: 40 }), fc.nat(), (lengths, cut) => {
      const bytes = split(hello, lengths);
      expect(parseClientHello(bytes)).toEqual(expected);
      expect(parseClientHello(bytes.subarray(0, cut % bytes.length))).toEqual({ state: "incomplete" });
    }));
    expect(parseClientHello(split(hello, Array.from({ length: hello.length }, () => 1)))).toEqual(expected);
  });

  it.each<[string, Buffer, string]>([
    ["HTTP", Buffer.from("GET / HTTP/1.1\r\n"), "no TLS handshake"],
    ["SSH", Buffer.from("SSH-2.0-OpenSSH_9.2\r\n"), "no TLS handshake"],
    ["an SSLv2 hello", Buffer.of(0x80, 0x2e, 1, 3, 1), "no TLS handshake"],
    ["another record version", Buffer.of(22, 2), "unknown version"],
    ["an empty record", Buffer.of(22, 3, 1, 0, 0), "forbidden length"],
    ["a record that is too long", Buffer.of(22, 3, 1, 0x40, 1), "forbidden length"],
    ["another handshake message", Buffer.of(22, 3, 1, 0, 4, 2), "does not begin"],
    ["a hello said to be larger than 16 KiB", Buffer.of(22, 3, 1, 0x40, 0, 1, 0, 0x40, 0), "larger than"],
    ["another record in the middle", Buffer.concat([Buffer.of(22, 3, 1, 0, 4, 1, 0, 1, 0), Buffer.of(23, 3, 3, 0, 1, 0)]), "no TLS handshake"],
    ["two server names extensions", build([[0, serverName("a")], [0, serverName("b")]]), "given twice"],
    ["a name of another type", build([[0, serverName("a", 1)]]), "unknown type"],
    ["a name with NUL", build([[0, serverName("a\0b")]]), "that is none"],
    ["a name with a space", build([[0, serverName("a b")]]), "that is none"],
    ["an empty name", build([[0, serverName("")]]), "that is none"],
    ["an empty protocol", build([[16, Buffer.of(0, 1, 0)]]), "empty protocol"],
    ["no protocols", build([[16, Buffer.of(0, 0)]]), "shorter than"],
    ["bytes behind the name list", build([[0, Buffer.concat([serverName("a"), Buffer.alloc(1)])]]), "after its end"],
  ])("refuses %s", (_, bytes, reason) => {
    expect(parseClientHello(bytes)).toMatchObject({ state: "not-tls", reason: expect.stringContaining(reason) as string });
  });

  it("takes a hello of just under 16 KiB and refuses one that fills it up", () => {
    const padded = (length: number): Buffer => build([[0, serverName("a")], [21, Buffer.alloc(length)]]);
    const room = 16 * 1024 - padded(0).length;
    expect(parseClientHello(padded(room))).toEqual({ state: "hello", serverName: "a", alpn: [] });
    expect(parseClientHello(padded(room + 1))).toMatchObject({ state: "not-tls" });
    expect(parseClientHello(split(padded(room), Array.from({ length: 16 * 1024 }, () => 1)))).toMatchObject({ state: "not-tls" });
  });

  it("never throws, whatever comes", () => {
    const states = ["incomplete", "not-tls", "hello"];
    fc.assert(fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
      expect(states).toContain(parseClientHello(bytes).state);
    }));
    fc.assert(fc.property(fc.nat(), fc.uint8Array({ minLength: 1, maxLength: 4 }), (at, bytes) => {
      const changed = Buffer.from(hello);
      changed.set(bytes, at % (hello.length - 4));
      expect(states).toContain(parseClientHello(changed).state);
    }), { numRuns: 1000 });
  });
});
