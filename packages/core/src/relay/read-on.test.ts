import { once } from "node:events";
import { connect, createServer, type AddressInfo, type Server, type Socket } from "node:net";
import { afterEach, describe, expect, it } from "vitest";
import { readOn } from "./read-on.ts";

let server: Server;
afterEach(() => server.close());

/** Both ends of a connection; ours is not read yet. */
async function connection(): Promise<{ readonly ours: Socket; readonly theirs: Socket }> {
  server = createServer();
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const accepted = once(server, "connection") as Promise<[Socket]>;
  const ours = connect({ port: (server.address() as AddressInfo).port, host: "127.0.0.1", allowHalfOpen: true });
  const [theirs] = await accepted;
  return { ours, theirs };
}

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

describe("a socket whose peer has closed while it was not read", () => {
  it("gives all that the peer had sent, however often it is written to meanwhile", async () => {
    const { ours, theirs } = await connection();
    readOn(ours);
    const errors: Error[] = [];
    ours.on("error", (error) => errors.push(error));
    theirs.end(Buffer.alloc(48 * 1024, 7));
    await once(theirs, "finish");
    theirs.destroy();
    await pause(20);
    // The first is answered with a reset, the others cannot be written.
    for (let ping = 0; ping < 4; ping++) {
      ours.write("ping");
      await pause(20);
    }
    expect(ours.destroyed).toBe(false);
    let got = 0;
    ours.on("data", (chunk: Buffer) => (got += chunk.length));
    ours.on("end", () => ours.end());
    await once(ours, "close");
    expect(got).toBe(48 * 1024);
    // What ends the reading may be the reset; it comes after the last byte.
    expect(errors.length).toBeLessThanOrEqual(1);
  });

  it("ends by itself as any socket does", async () => {
    const { ours, theirs } = await connection();
    readOn(ours);
    let heard = "";
    theirs.on("data", (chunk: Buffer) => (heard += chunk.toString()));
    ours.cork();
    ours.write("one ");
    ours.write("two");
    ours.uncork();
    ours.end();
    ours.resume();
    await once(theirs, "end");
    expect(heard).toBe("one two");
    theirs.end();
    await once(ours, "close");
  });
});
