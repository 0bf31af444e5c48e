import { channelMessage, channelMessageLength, commandChannel, createChannelReader, writeChannelMessage } from "./channels.ts";
import { SpdyClient } from "./spdy-client.ts";
import { spdyDataFrame } from "./spdy-frames.ts";
import { statusText } from "./stream-tap.ts";
import type { StreamEnd } from "./stream-tap.ts";
import type { Translation, Turn } from "./translation.ts";
import { webSocketClose } from "./websocket-frames.ts";
import { WebSocketServer, closeCode, webSocketPing } from "./websocket-server.ts";

/** What a command was asked for, and how either side wants to speak of it. */
export interface CommandTranslationOptions {
  /** Subprotocol of the WebSocket: `v5.channel.k8s.io` or `v4.channel.k8s.io`. */
  readonly subprotocol: string;
  /** `X-Stream-Protocol-Version` of the server's 101; `""` is the first version, `channel.k8s.io`. */
  readonly protocol: string;
  readonly stdin: boolean;
  readonly stdout: boolean;
  readonly stderr: boolean;
  readonly tty: boolean;
}

type Channel = Exclude<(typeof commandChannel)[keyof typeof commandChannel], 255>;

const names: Readonly<Record<Channel, string>> = { 0: "stdin", 1: "stdout", 2: "stderr", 3: "error", 4: "resize" };
const maxStatus = 256 * 1024;
const empty = Buffer.alloc(0);

/** {@link Translation} of exec and attach. */
export function createCommandTranslation(options: CommandTranslationOptions): Translation {
  return new CommandTranslation(options);
}

class CommandTranslation implements Translation {
  done = false;
  readonly #options: CommandTranslationOptions;
  /** Version of the server's protocol. */
  readonly #version: number;
  readonly #spdy: SpdyClient;
  readonly #webSocket: WebSocketServer;
  /** Stream by channel, and back. */
  readonly #streams = new Map<number, number>();
  readonly #channels = new Map<number, Channel>();
  /** Channels of the server that are still open. */
  readonly #open = new Set<Channel>();
  #status: Buffer[] = [];
  #statusLength = 0;
  #answered = false;
  #toClient: Buffer[] = [];
  #toServer: Buffer[] = [];
  /** Output of this turn, as views of the chunk that is read. */
  #output: { readonly channel: Channel; readonly bytes: Uint8Array }[] = [];
  #pong: Buffer | undefined;

  constructor(options: CommandTranslationOptions) {
    this.#options = options;
    this.#version = Number(/^v(\d+)\./.exec(options.protocol)?.[1] ?? "1");
    this.#spdy = new SpdyClient({
      data: (id, chunk, start, end) => this.#fromStream(id, chunk.subarray(start, end)),
      ended: (id) => {
        const channel = this.#channels.get(id);
        if (channel !== undefined) this.#open.delete(channel);
      },
    });
    const closes = options.subprotocol === "v5.channel.k8s.io";
    const reader = createChannelReader(false, (channel) => {
      if (closes && channel === commandChannel.close) return (bytes) => (reader.length === bytes.length + 1 ? this.#finish(bytes[0] ?? -1) : undefined);
      // What nobody asked for is passed over, as API servers do.
      const id = this.#sending(channel);
      return id === undefined ? undefined : (bytes) => void this.#toServer.push(spdyDataFrame(id, bytes, false));
    });
    this.#webSocket = new WebSocketServer({ data: reader.data, messageEnd: reader.reset });
  }

  get ready(): boolean {
    return this.#answered && this.#spdy.settled;
  }

  open(): Turn {
    const { stdin, stdout, stderr, tty } = this.#options;
    this.#openStream(commandChannel.error);
    if (stdin) this.#openStream(commandChannel.stdin);
    if (stdout) this.#openStream(commandChannel.stdout);
    // A terminal has one output; and sizes of it are told since the third version.
    if (stderr && !tty) this.#openStream(commandChannel.stderr);
    if (tty && this.#version >= 3) this.#openStream(commandChannel.resize);
    this.#open.delete(commandChannel.stdin);
    this.#open.delete(commandChannel.resize);
    return this.#turn();
  }

  fromClient(chunk: Uint8Array): Turn {
    if (this.done) return this.#turn();
    const { pong, close } = this.#webSocket.feed(chunk);
    this.#pong = pong;
    if (close !== undefined) {
      this.#toClient.push(close);
      this.done = true;
    }
    return this.#turn();
  }

  fromServer(chunk: Uint8Array): Turn {
    if (this.done) return this.#turn();
    const answers = this.#spdy.feed(chunk);
    if (answers.length > 0) this.#toServer.push(answers);
    if (this.#spdy.problem !== undefined) return this.fail(badGateway(`the API server sent bytes that are not the protocol that was negotiated: ${this.#spdy.problem}`));
    if (this.#spdy.refused) return this.fail(badGateway("the API server refused a stream of the command"));
    this.#greet();
    this.#writeOutput();
    if (this.#open.size === 0) this.#conclude();
    return this.#turn();
  }

  serverEnded(broken: boolean): Turn {
    if (this.done) return this.#turn();
    // Servers reset every stream and say goodbye before they hang up; some only hang up, but not before they said how the command ended.
    const told = this.#statusLength > 0 || !this.#open.has(commandChannel.error) || this.#spdy.goneAway;
    if (!told) return this.fail(badGateway(`the API server ${broken ? "broke off" : "closed"} the connection before it said how the command ended`));
    this.#conclude();
    return this.#turn();
  }

  fail(why: StreamEnd): Turn {
    if (this.done) return this.#turn();
    this.#writeOutput();
    this.#close(channelMessage(commandChannel.error, Buffer.from(statusText(why))));
    return this.#turn();
  }

  keepAlive(): Turn {
    if (!this.done && this.ready) {
      this.#toClient.push(webSocketPing);
      this.#toServer.push(this.#spdy.ping());
    }
    return this.#turn();
  }

  #openStream(channel: Channel): void {
    const { id, bytes } = this.#spdy.open([["streamtype", names[channel]]]);
    this.#streams.set(channel, id);
    this.#channels.set(id, channel);
    this.#open.add(channel);
    this.#toServer.push(bytes);
  }

  /** Stream on which the client may send what comes on this channel, if there is one. */
  #sending(channel: number): number | undefined {
    const id = channel === commandChannel.stdin || channel === commandChannel.resize ? this.#streams.get(channel) : undefined;
    return id !== undefined && this.#spdy.sends(id) ? id : undefined;
  }

  #finish(channel: number): void {
    const id = this.#sending(channel);
    // The first version of the protocol cannot say it: its clients never did.
    if (id !== undefined && this.#version > 1) this.#toServer.push(this.#spdy.finish(id));
  }

  /** Tells the client that all is set up as API servers do: by an empty message of the lowest channel that they write to. */
  #greet(): void {
    if (this.#answered || !this.#spdy.settled) return;
    this.#answered = true;
    const first = [commandChannel.stdout, commandChannel.stderr].find((channel) => this.#streams.has(channel)) ?? commandChannel.error;
    this.#toClient.push(channelMessage(first, empty));
  }

  #fromStream(id: number, bytes: Uint8Array): void {
    const channel = this.#channels.get(id);
    if (channel === commandChannel.stdout || channel === commandChannel.stderr) {
      this.#output.push({ channel, bytes });
    } else if (channel === commandChannel.error) {
      this.#statusLength += bytes.length;
      if (this.#statusLength <= maxStatus) this.#status.push(Buffer.from(bytes));
    }
  }

  /** One copy of what the chunk has for the client. */
  #writeOutput(): void {
    if (this.#output.length === 0) return;
    const frames = Buffer.allocUnsafe(this.#output.reduce((sum, { bytes }) => sum + channelMessageLength(bytes.length), 0));
    let at = 0;
    for (const { channel, bytes } of this.#output) at = writeChannelMessage(frames, at, channel, bytes);
    this.#output = [];
    this.#toClient.push(frames);
  }

  /** All output is out: now how it ended. */
  #conclude(): void {
    if (this.#statusLength > maxStatus) {
      this.#close(channelMessage(commandChannel.error, Buffer.from(statusText(badGateway("the API server said at too great length how the command ended")))));
      return;
    }
    const told = Buffer.concat(this.#status);
    const status = this.#version >= 4 ? told : Buffer.from(statusOf(told.toString("utf8")));
    this.#close(status.length === 0 ? empty : channelMessage(commandChannel.error, status));
  }

  #close(last: Buffer): void {
    // Clients read the error channel to its end, and take only a normal close for that end.
    this.#toClient.push(last, webSocketClose(closeCode.normal, ""));
    this.#status = [];
    this.done = true;
  }

  #turn(): Turn {
    const turn = { toClient: joined(this.#toClient), toServer: joined(this.#toServer), pong: this.done ? undefined : this.#pong };
    this.#toClient = [];
    this.#toServer = [];
    this.#pong = undefined;
    return turn;
  }
}

function joined(parts: readonly Buffer[]): Buffer {
  return parts.length === 1 ? (parts[0] ?? empty) : parts.length === 0 ? empty : Buffer.concat(parts);
}

/** Before the fourth version a command that failed left a text, one that succeeded nothing. */
function statusOf(text: string): string {
  if (text === "") return JSON.stringify({ metadata: {}, status: "Success" });
  return statusText({ code: 500, reason: "InternalError", message: `error executing remote command: ${text}` });
}

function badGateway(message: string): StreamEnd {
  return { code: 502, reason: "BadGateway", message };
}
