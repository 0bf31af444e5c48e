import type { IncomingMessage } from "node:http";
import type { Socket } from "node:net";
import { pump } from "@gatehouse/core/client/ssh";
import { answerHeaders, rawHead, readOn, sendFailureRaw } from "@gatehouse/core/relay";
import { noAnswer, type Passing } from "./context.ts";
import { passHeaders } from "./headers.ts";

/** When a silent peer is first asked whether it is there, ms. */
const keepAliveTime = 30_000;
/** How long the gateway may take to read what a client that is gone has left, ms. */
const flushTime = 30_000;
/** How long a client may take to read what the gateway, which is gone, has left, ms. */
const readTime = 600_000;

/**
 * Asks the gateway for an upgrade, and joins the sockets where it agrees: bytes pass unchanged both ways, and each side ends when the other does, not
 * before what is under way has arrived. A refusal passes as it is, with its body. `head` is what the client sent right behind its headers.
 */
export function passUpgrade(passing: Passing, request: IncomingMessage, client: Socket, head: Buffer): void {
  const { way, gateway, target, entry, refused } = passing;
  const asked = way.upgrade({ method: (request.method ?? "GET"), path: target, headers: passHeaders(request.rawHeaders, true).pairs });
  let answered = false;
  client.on("error", ignore);
  client.once("close", () => {
    if (!answered) asked.destroy();
    entry.end();
  });
  asked.once("upgrade", (answer, server, first) => {
    answered = true;
    entry.answered(101);
    if (client.destroyed) {
      server.destroy();
      return;
    }
    client.write(rawHead(101, answer.statusMessage ?? "", answer.rawHeaders), "latin1");
    join(client, server, head, first, entry.passed);
  });
  asked.once("response", (answer) => {
    answered = true;
    const status = answer.statusCode ?? 502;
    entry.answered(status);
    if (status === 401) refused();
    answer.on("error", ignore);
    client.write(rawHead(status, answer.statusMessage ?? "", [...answerHeaders(answer.headersDistinct), "connection", "close"]), "latin1");
    client.resume();
    answer.on("data", (chunk: Buffer) => entry.passed(chunk.length));
    answer.once("close", () => {
      if (!answer.complete) client.destroy();
    });
    client.once("close", () => asked.destroy());
    answer.pipe(client);
  });
  asked.on("error", (error) => {
    if (answered || client.destroyed) return;
    answered = true;
    const why = noAnswer(error, gateway);
    entry.answered(why.code);
    sendFailureRaw(client, why);
  });
  asked.end();
}

function join(client: Socket, server: Socket, clientHead: Buffer, serverHead: Buffer, passed: (bytes: number) => void): void {
  for (const socket of [client, server]) {
    socket.allowHalfOpen = true;
    socket.setNoDelay(true);
    socket.setKeepAlive(true, keepAliveTime);
    socket.on("error", ignore);
    socket.on("data", (chunk: Buffer) => passed(chunk.length));
  }
  readOn(server);
  readOn(client);
  if (clientHead.length > 0) server.write(clientHead);
  if (serverHead.length > 0) client.write(serverHead);
  // It may have ended before anybody listened.
  if (server.readableEnded) client.end();
  // What breaks a side closes it too, and that is looked at.
  for (const way of [pump(client, server), pump(server, client)]) way.catch(ignore);
  client.once("close", () => {
    server.destroySoon();
    // Who does not read would keep it for ever.
    setTimeout(() => server.destroy(), flushTime).unref();
  });
  server.once("close", () => drain(client));
}

/** The gateway is gone. What it has left is still read here; closed while the client sends, the connection would be reset, and that be lost. */
function drain(client: Socket): void {
  if (client.destroyed) return;
  client.end();
  client.resume();
  setTimeout(() => client.destroy(), readTime).unref();
}

const ignore = (): void => undefined;
