import { encodeSshMessage, parseListen } from "../../../formats/index.ts";
import type { SshMessage } from "../../../formats/index.ts";
import { otherSide } from "./channel.ts";
import type { Side } from "./channel.ts";
import { ReplyQueue } from "./reply-queue.ts";

type GlobalRequest = Extract<SshMessage, { readonly type: "global_request" }>;

/** Addresses that the host may listen on for one connection at once. */
const maxListens = 256;

/** What global requests need of their bridge. */
export interface GlobalPort {
  send(to: Side, payload: Uint8Array): void;
  readonly forwardingAllowed: boolean;
  /** A request to listen at an address was refused. */
  refusedListen(address: string, why: string): unknown;
}

/** Requests about the connection as a whole: which pass, who answers them, and where the host listens for the client. */
export class Globals {
  readonly #port: GlobalPort;
  readonly #replies: Readonly<Record<Side, ReplyQueue>>;
  #listens = 0;

  constructor(port: GlobalPort) {
    this.#port = port;
    const queue = (side: Side): ReplyQueue => new ReplyQueue((payload) => port.send(side, payload));
    this.#replies = { client: queue("client"), host: queue("host") };
  }

  /** The client has asked for connections that come in at the host. */
  get listening(): boolean {
    return this.#listens > 0;
  }

  request(from: Side, message: GlobalRequest, payload: Buffer): void {
    if (message.name === "keepalive@openssh.com") this.#pass(from, message, payload);
    else if (from === "client" && message.name === "no-more-sessions@openssh.com") this.#pass(from, message, payload);
    else if (from === "client") this.#listen(message, payload);
    // The client knows the gateway's keys as the host's: the host's own (`hostkeys-00@openssh.com`) would be strangers.
    else this.#refuse(from, message);
  }

  reply(from: Side, payload: Buffer, ok: boolean): void {
    this.#replies[otherSide(from)].reply(payload, ok);
  }

  #listen(message: GlobalRequest, payload: Buffer): void {
    const listen = parseListen(message.name, message.data);
    if (listen === undefined) {
      this.#refuse("client", message);
    } else if (message.name.startsWith("cancel-")) {
      this.#pass("client", message, payload, (ok) => {
        if (ok && this.#listens > 0) this.#listens -= 1;
      });
    } else if (!this.#port.forwardingAllowed) {
      this.#port.refusedListen(listen.address, "no role of theirs allows port forwarding (port_forwarding)");
      this.#refuse("client", message);
    } else if (this.#listens >= maxListens) {
      this.#port.refusedListen(listen.address, "too many ports are listened on");
      this.#refuse("client", message);
    } else {
      this.#listens += 1;
      this.#pass("client", message, payload, (ok) => {
        if (!ok) this.#listens -= 1;
      });
    }
  }

  #pass(from: Side, { wantReply }: GlobalRequest, payload: Buffer, told?: (ok: boolean) => void): void {
    if (wantReply) this.#replies[from].asked(told);
    this.#port.send(otherSide(from), payload);
  }

  #refuse(side: Side, { wantReply }: GlobalRequest): void {
    if (wantReply) this.#replies[side].answer(encodeSshMessage({ type: "request_failure" }));
  }
}
