import { PassThrough } from "node:stream";
import { once } from "node:events";
import type { RequestListener } from "node:http";
import { afterEach, describe, expect, it } from "vitest";
import { sshConnectHeaders, sshServerName, sshUpgrade } from "../../api/index.ts";
import type { LoginRecord } from "../lean/index.ts";
import { newAuthority, newUserKey, serverPair, startTlsServer, userPair, type TestServer } from "../testing.ts";
import { connectHost, pump } from "./index.ts";

const authority = newAuthority();
let server: TestServer | undefined;
afterEach(() => server?.close());

async function gateway(answer: RequestListener, names: readonly string[] = [sshServerName("example")]): Promise<LoginRecord> {
  server = await startTlsServer(serverPair(authority, { dnsNames: [...names] }), [authority.certificate], {}, answer);
  const key = newUserKey();
  return { version: 1, proxy: server.address.text, cluster: "example", username: "ana", privateKey: key.pem, sshCertificate: "", tlsCertificate: userPair(authority, key.privateKey).certificate, hostKeys: [], hostCertificates: [authority.certificate], issued: 0, expires: 0 };
}

const accepted = (headers: Readonly<Record<string, string>>): RequestListener => (_request, response) => {
  response.writeHead(101, { connection: "Upgrade", upgrade: sshUpgrade, ...headers });
  response.flushHeaders();
  response.socket?.write("SSH-2.0-host\r\n");
};
const wanted = { target: "web-1", login: "root", key: "ssh-ed25519 AAAA" };

describe("connecting to a host", () => {
  it("asks once, by the name of the gateway's SSH, and gives what comes behind the answer", async () => {
    const record = await gateway(accepted({ [sshConnectHeaders.mode]: "off", [sshConnectHeaders.node]: "6f0e", [sshConnectHeaders.nodeName]: "web-1", [sshConnectHeaders.certificate]: Buffer.from("line\n").toString("base64") }));
    const connection = await connectHost(record, wanted);
    expect(connection).toMatchObject({ mode: "off", node: "6f0e", nodeName: "web-1", certificate: "line" });
    expect(server?.requests).toEqual(["GET /gatehouse/v1/ssh/connect?target=web-1&login=root&key=ssh-ed25519+AAAA"]);
    connection.socket.setTimeout(60_000, () => connection.socket.destroy(new Error("it never came")));
    connection.socket.resume();
    expect(((await once(connection.socket, "data")) as [Buffer])[0].toString()).toBe("SSH-2.0-host\r\n");
    connection.socket.destroy();
  });

  it("throws the refusal with its id", async () => {
    const record = await gateway((_request, response) => {
      response.writeHead(403, { "content-type": "application/json" });
      response.end(JSON.stringify({ message: "you may not be root on web-1", code: "access_denied", hint: "ask", id: "6f0e" }));
    });
    await expect(connectHost(record, wanted)).rejects.toMatchObject({ code: "access_denied", message: "you may not be root on web-1", hint: "ask", id: "6f0e", exitCode: 4 });
  });

  it.each([{}, { [sshConnectHeaders.mode]: "other" }, { [sshConnectHeaders.mode]: "off", upgrade: "websocket" }])("takes no answer that does not say how: %j", async (headers) => {
    await expect(connectHost(await gateway(accepted(headers)), wanted)).rejects.toMatchObject({ code: "internal" });
  });

  it("says what is wrong with a gateway that it cannot reach, or not believe", async () => {
    await expect(connectHost(await gateway(accepted({}), ["another"]), wanted)).rejects.toMatchObject({ code: "unavailable", message: expect.stringContaining("certificate is for another name") as string });
    const record = await gateway(accepted({}));
    await server?.close();
    await expect(connectHost(record, wanted)).rejects.toMatchObject({ code: "unavailable" });
  });
});

describe("pump", () => {
  it("copies all of it, slowly read or not, and passes the end on", async () => {
    const [from, to] = [new PassThrough(), new PassThrough({ highWaterMark: 1024 })];
    const copied = pump(from, to);
    const whole = Buffer.alloc(5_000_000, "x");
    for (let at = 0; at < whole.length; at += 100_000) from.write(whole.subarray(at, at + 100_000));
    from.end();
    let length = 0;
    for await (const chunk of to as AsyncIterable<Buffer>) {
      length += chunk.length;
      if (length % 7 === 0) await new Promise((resolve) => setTimeout(resolve, 1));
    }
    await copied;
    expect(length).toBe(whole.length);
  });

  it("stops reading for whom nobody reads", async () => {
    const [from, to] = [new PassThrough(), new PassThrough()];
    const copied = pump(from, to);
    for (let count = 0; count < 200; count++) from.write(Buffer.alloc(64 * 1024));
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(to.readableLength + to.writableLength).toBeLessThan(2 * 1024 * 1024);
    expect(from.readableLength + from.writableLength).toBeGreaterThan(8 * 1024 * 1024);
    to.resume();
    from.end();
    await copied;
  });
});
