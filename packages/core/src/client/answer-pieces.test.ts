import { once } from "node:events";
import { createServer, get, type IncomingMessage } from "node:http";
import type { AddressInfo } from "node:net";
import { expect, it } from "vitest";
import { answerPieces } from "./answer-pieces.ts";

async function answered(idle: number | undefined, pauses: readonly number[], ends = true) {
  const server = createServer((_request, response) => {
    const next = (left: readonly number[]): void => {
      const [pause, ...rest] = left;
      if (pause !== undefined) {
        setTimeout(() => {
          response.write(`${pause} `);
          next(rest);
        }, pause);
      } else if (ends) response.end();
    };
    response.write("begin ");
    next(pauses);
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  const [response] = (await once(get({ port: (server.address() as AddressInfo).port, agent: false }), "response")) as [IncomingMessage];
  return {
    pieces: answerPieces(response, "gw.example:443", idle),
    response,
    close() {
      server.closeAllConnections();
      server.close();
    },
  };
}

it("gives up a gateway that sends nothing any more, and says so", async () => {
  const { pieces, response, close } = await answered(1500, [20, 30], false);
  let text = "";
  const read = async (): Promise<void> => {
    for await (const piece of pieces) text += Buffer.from(piece).toString();
  };
  await expect(read()).rejects.toMatchObject({ code: "unavailable", message: "the gateway gw.example:443 sent nothing for 1.5 s" });
  expect([text, response.destroyed]).toEqual(["begin 20 30 ", true]);
  close();
});

it("waits for ever where nothing was said, and does not count the time that its reader takes", async () => {
  for (const [idle, slow] of [[undefined, 0], [700, 1000]] as const) {
    const { pieces, close } = await answered(idle, idle === undefined ? [250] : [20, 20]);
    let text = "";
    for await (const piece of pieces) {
      text += Buffer.from(piece).toString();
      await new Promise((resolve) => setTimeout(resolve, slow));
    }
    expect(text).toBe(idle === undefined ? "begin 250 " : "begin 20 20 ");
    close();
  }
});
