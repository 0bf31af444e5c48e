import { createHash } from "node:crypto";
import { STATUS_CODES, type IncomingMessage, type ServerResponse } from "node:http";
import { TLSSocket } from "node:tls";
import { z } from "zod";
import { sshConnectHeaders, sshConnectPath, sshEndingPath, sshUpgrade } from "../../api/index.ts";
import { GatehouseError } from "../../base/index.ts";
import { errorBody, errorStatus } from "../http/index.ts";
import { createPurposeServer, peerOf, type PurposeServer } from "../listener/index.ts";
import type { Connector } from "./connector.ts";
import type { SshContext } from "./context.ts";
import { Denied } from "./denied.ts";
import { keepAliveTime } from "./dial.ts";
import { Person, type Ends } from "./person.ts";
import { refuse } from "./refusals.ts";
import { finish } from "./tunnel.ts";

const headerSize = 32 * 1024;
const maxKey = 16 * 1024;
/** How many connections that were ended are remembered, and for how long, ms. */
const maxEndings = 4096;
const endingLife = 60_000;

/** The query of {@link sshConnectPath}. */
const connectQuery = z.strictObject({
  target: z.string().min(1).max(1024),
  port: z.string().regex(/^\d{1,5}$/).transform(Number).refine((port) => port <= 65_535).optional(),
  login: z.string().min(1).max(256),
  key: z.string().min(1).max(maxKey).optional(),
});

function endsOf(socket: TLSSocket): Ends {
  return { address: socket.remoteAddress ?? "", remoteAddress: peerOf(socket), localAddress: peerOf({ remoteAddress: socket.localAddress, remotePort: socket.localPort }) };
}

const json = (error: GatehouseError): string => JSON.stringify(errorBody(error));

/** What every answer has in its head, pairs. */
function headOf(body: string): string[] {
  return ["content-type", "application/json", "content-length", String(Buffer.byteLength(body)), "cache-control", "no-store", "connection", "close"];
}

/** Status line and headers; values are ours or checked, and so have no line breaks. */
function rawHead(status: number, pairs: readonly (readonly [string, string])[]): string {
  return `HTTP/1.1 ${String(status)} ${STATUS_CODES[status] ?? ""}\r\n${pairs.map(([name, value]) => `${name}: ${value}\r\n`).join("")}\r\n`;
}

function sendRaw(socket: TLSSocket, error: GatehouseError): void {
  if (socket.destroyed) return;
  const body = json(error);
  const flat = headOf(body);
  const pairs = flat.flatMap((name, index) => (index % 2 === 0 ? [[name, flat[index + 1] ?? ""] as const] : []));
  socket.write(rawHead(errorStatus(error), pairs) + body);
  finish(socket);
}

/** A host's name as a header may have it: others are written as percent signs and hex. */
const headerText = (text: string): string => text.replace(/[^\x21-\x7e]|%/gu, (character) => encodeURIComponent(character));

function readQuery(url: string): z.infer<typeof connectQuery> {
  const at = url.indexOf("?");
  const path = at < 0 ? url : url.slice(0, at);
  if (path !== sshConnectPath) throw new GatehouseError("not_found", "there is nothing here but connections to hosts");
  const query = new URLSearchParams(at < 0 ? "" : url.slice(at + 1));
  if (new Set(query.keys()).size !== query.size) throw new GatehouseError("bad_parameter", "request: a parameter is given twice");
  const parsed = connectQuery.safeParse(Object.fromEntries(query));
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  throw new GatehouseError("bad_parameter", `request: ${issue?.path.join(".") ?? ""} ${issue?.message ?? "is malformed"}`);
}

/** Tells one client certificate from all others. */
function digestOf(socket: TLSSocket): string | undefined {
  const presented = socket.getPeerX509Certificate();
  return presented && createHash("sha256").update(presented.raw).digest("base64");
}

interface EndedConnection {
  readonly opener: string | undefined;
  readonly message: string;
  /** ms since the epoch. */
  readonly until: number;
}

/** The last connections that the gateway ended, by their ids. */
class Endings extends Map<string, EndedConnection> {
  override set(id: string, ending: EndedConnection): this {
    super.set(id, ending);
    for (const oldest of this.keys()) {
      if (this.size <= maxEndings) break;
      this.delete(oldest);
    }
    return this;
  }
}

/** The way of `tsh proxy ssh`: mutual TLS, one request for an upgrade, and then the bytes of SSH. */
export function createWebWay(context: SshContext, connector: Connector): PurposeServer {
  const { options, authorities, logger } = context;
  const endings = new Endings();

  const personOf = (socket: TLSSocket): Person => {
    const presented = socket.getPeerX509Certificate();
    if (presented === undefined) throw new Denied("unauthenticated", "certificate", "the gateway needs a client certificate and got none", { hint: "log in first: tsh login" });
    return new Person(context, authorities.identifyUser(presented.raw), endsOf(socket));
  };

  const connect = async (request: IncomingMessage, socket: TLSSocket, head: Buffer): Promise<void> => {
    const { upgrade } = request.headers;
    if (request.method !== "GET" || upgrade?.toLowerCase() !== sshUpgrade) throw new GatehouseError("bad_parameter", `request: only GET with an upgrade to ${sshUpgrade} is known here`);
    const person = personOf(socket);
    const asked = readQuery(request.url ?? "");
    const gone = new AbortController();
    const leave = (): void => gone.abort(new GatehouseError("unavailable", "the client is gone"));
    socket.once("close", leave);
    const connected = await connector.connect(person, asked, gone.signal);
    socket.off("close", leave);
    if (socket.destroyed) {
      connected.abandon();
      return;
    }
    socket.setNoDelay(true);
    socket.setKeepAlive(true, keepAliveTime);
    const { id, node, mode, certificate } = connected;
    socket.write(
      rawHead(101, [
        ["connection", "Upgrade"],
        ["upgrade", sshUpgrade],
        [sshConnectHeaders.mode, mode],
        [sshConnectHeaders.connection, id],
        [sshConnectHeaders.node, headerText(node.id)],
        [sshConnectHeaders.nodeName, headerText(node.hostname)],
        ...(certificate === undefined ? [] : [[sshConnectHeaders.certificate, Buffer.from(certificate).toString("base64")] as const]),
      ]),
    );
    if (head.length > 0) socket.unshift(head);
    const opener = digestOf(socket);
    connected.begin(socket, ({ message }) => endings.set(id, { opener, message, until: context.clock.now() + endingLife }));
  };

  const onUpgrade = (request: IncomingMessage, socket: TLSSocket, head: Buffer): void => {
    const ends = endsOf(socket);
    connect(request, socket, head)
      .catch(async (error: unknown) => {
        // Whoever is nobody may not fill the log.
        if (error instanceof GatehouseError && error.code === "unauthenticated" && error.id === undefined && !context.strangers.admit(ends.remoteAddress)) sendRaw(socket, error);
        else if (error instanceof GatehouseError && error.code === "bad_parameter" && !(error instanceof Denied)) sendRaw(socket, error);
        else sendRaw(socket, await refuse(context, { user: undefined, ...ends }, error));
      })
      .catch((error: unknown) => {
        logger.error({ err: error }, "a refusal could not be told");
        socket.destroy();
      });
  };

  const onRequest = (request: IncomingMessage, response: ServerResponse): void => {
    const [status, body] = answerTo(request);
    response.writeHead(status, headOf(body));
    response.end(body);
  };
  /** Why a connection was ended: told to the certificate that opened it, which may be good for nothing else any more. */
  const answerTo = ({ method, url = "", socket }: IncomingMessage): readonly [number, string] => {
    const asked = /^([^?]*)\?connection=([0-9a-f-]{36})$/.exec(url);
    if (method !== "GET" || asked?.[1] !== sshEndingPath || !(socket instanceof TLSSocket)) return [400, json(new GatehouseError("bad_parameter", `request: only an upgrade to ${sshUpgrade} is known here`))];
    const ending = endings.get(asked[2] ?? "");
    if (ending === undefined || ending.opener === undefined || ending.opener !== digestOf(socket) || ending.until <= context.clock.now()) return [404, json(new GatehouseError("not_found", "the gateway did not end such a connection of yours"))];
    return [200, JSON.stringify({ message: ending.message })];
  };

  return createPurposeServer({
    name: "ssh",
    tls: { ...options.tls, clientAuthorities: authorities.trust("user").tlsCertificates },
    onRequest,
    onUpgrade,
    errorAnswer: (_status, message) => ({ contentType: "application/json", body: json(new GatehouseError("bad_parameter", `request: ${message}`)) }),
    limits: { headerSize, requestTimeout: 30_000, keepAliveTimeout: 10_000, ...options.serverLimits },
    logger,
  });
}
