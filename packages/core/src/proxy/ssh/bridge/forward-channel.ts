import { encodeSshMessage, parseForward } from "../../../formats/index.ts";
import type { ForwardedConnection } from "../../sessions/index.ts";
import { Channel } from "./channel.ts";
import type { ChannelOpen, ChannelPort, ChannelRequestMessage, Side } from "./channel.ts";

/** Characters of an address, and of what is wrong. */
const maxText = 1024;

/** Where forwarded connections are counted. */
export interface ForwardCount {
  opened(connection: ForwardedConnection): void;
  closed(connection: ForwardedConnection): void;
}

/** Where a forwarded connection goes, in words: `db:5432`, `/run/app.sock`; those that the host hands back begin with `remote`. Undefined for channels that are none. Throws `bad_parameter`. */
export function forwardAddress({ kind, data }: ChannelOpen): string | undefined {
  const target = parseForward(kind, data);
  if (target === undefined) return undefined;
  const address = target.kind === "tcp" ? `${target.host}:${String(target.port)}` : target.path;
  return `${kind.startsWith("forwarded-") ? "remote " : ""}${address}`.slice(0, maxText);
}

/** A forwarded connection: counted, where somebody counts (not the agent's, nor X11's), and never recorded. */
export class ForwardChannel extends Channel implements ForwardedConnection {
  readonly addr: string;
  sent = 0;
  received = 0;
  error = "";
  readonly #count: ForwardCount | undefined;
  #over = false;

  constructor(port: ChannelPort, opener: Side, open: ChannelOpen, addr: string, count?: ForwardCount) {
    super(port, opener, open);
    this.addr = addr;
    this.#count = count;
    count?.opened(this);
  }

  protected ended(reason: string | undefined): void {
    if (this.#over) return;
    this.#over = true;
    if (!this.confirmed) this.error = (reason ?? "it was not answered").slice(0, maxText);
    this.#count?.closed(this);
  }

  protected data(from: Side, bytes: Buffer): boolean {
    if (from === "client") this.sent += bytes.length;
    else this.received += bytes.length;
    return true;
  }

  protected request(from: Side, message: ChannelRequestMessage, payload: Buffer): void {
    this.pass(from, message, payload);
  }

  protected closed(): void {
    return;
  }

  protected granted(): void {
    return;
  }
}

/** The answer to a side that may not open a channel. */
export function refusal(open: ChannelOpen, reason: number, text: string): Buffer {
  return encodeSshMessage({ type: "channel_open_failure", channel: open.sender, reason, text });
}
